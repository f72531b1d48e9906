import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * An API key as text: `kt_live_`, 32 random characters of base 62 (190 bits), 6 characters of checksum.
 *
 *   kt_live_ 3vQeK0pXo1ZtY7uCwBn5sRjL9aHd2MfG 0Kd8Zx
 *
 * The checksum is CRC-32 of all that stands before it. It is no secret: it lets a typing error, a truncated key and most
 * guesses be refused without asking a database, and lets scanners tell a leaked key from noise. Only the SHA-256 of the
 * whole key is ever stored; 190 random bits need no slow hash.
 */
export const apiKeyPrefix = 'kt_live_';

const randomLength = 32;
const checksumLength = 6;
export const apiKeyLength = apiKeyPrefix.length + randomLength + checksumLength;
/** How much of the random part is shown in lists: enough to tell keys apart, far too little to guess one. */
const shownLength = 4;

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const pattern = new RegExp(`^${apiKeyPrefix}[0-9A-Za-z]{${randomLength + checksumLength}}$`);
/** Bytes from here on are drawn again: 256 is no multiple of 62, and the first characters would come up more often. */
const unbiasedBytes = 256 - (256 % alphabet.length);

/** Answers `size` bytes that nobody can predict (`crypto.randomBytes`). */
export type RandomBytes = (size: number) => Uint8Array;

export interface MintedApiKey {
  /** The key itself: shown once, never stored. */
  readonly key: string;
  readonly hash: Buffer;
  readonly prefix: string;
}

export type ParsedApiKey = { readonly ok: true; readonly hash: Buffer; readonly prefix: string } | { readonly ok: false };

/** Whether a text has the form of the beginning that is shown of each key. */
export const isApiKeyPrefix = (text: string): boolean => text.startsWith(apiKeyPrefix) && text.length === apiKeyPrefix.length + shownLength;

export const mintApiKey = (randomBytes: RandomBytes): MintedApiKey => {
  const body = apiKeyPrefix + randomText(randomBytes);
  const key = body + checksumOf(body);
  return { key, hash: hashApiKey(key), prefix: shownPrefix(key) };
};

/** Takes whatever a client sent; looks at a bounded part of it, and hashes only what can be a key. */
export const parseApiKey = (text: string): ParsedApiKey => {
  if (text.length !== apiKeyLength || !pattern.test(text)) return { ok: false };
  const checksumAt = apiKeyLength - checksumLength;
  if (checksumOf(text.slice(0, checksumAt)) !== text.slice(checksumAt)) return { ok: false };
  return { ok: true, hash: hashApiKey(text), prefix: shownPrefix(text) };
};

const hashApiKey = (key: string): Buffer => hash('sha256', key, 'buffer');

/**
 * The SHA-256 as text, for whoever remembers keys without having them: a third of the cost of parsing, which is left for
 * what nobody remembers. Null for what is not as long as a key; all else is hashed, well-formed or not.
 */
export const fingerprintApiKey = (text: string): string | null => (text.length === apiKeyLength ? hash('sha256', text, 'base64') : null);

const shownPrefix = (key: string): string => key.slice(0, apiKeyPrefix.length + shownLength);

const checksumOf = (body: string): string => {
  let rest = crc32(body);
  let text = '';
  for (let place = 0; place < checksumLength; place++) {
    text = alphabet[rest % alphabet.length]! + text;
    rest = Math.floor(rest / alphabet.length);
  }
  return text;
};

const randomText = (randomBytes: RandomBytes): string => {
  let text = '';
  // 1 in 32 bytes is drawn again, so a second draw is rare and a third hardly ever seen.
  while (text.length < randomLength) {
    for (const byte of randomBytes(randomLength)) {
      if (byte < unbiasedBytes && text.length < randomLength) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
};
