import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { AppError } from '../errors.js';

/**
 * Secrets that must be read again, such as a webhook's, are stored encrypted: AES-256-GCM under a key of KILOTOKEN_SECRET_KEY. Its first key
 * encrypts, all of them decrypt, so a new key is put in front, `kt secrets rotate` encrypts everything anew, and the old one goes.
 *
 *   kt1.3f9a1c07.<base64url of nonce, ciphertext and tag>      the key's id stands in the middle
 *
 * The purpose is authenticated with the text: a row's secret that is copied into another row does not open.
 */
export interface Keyring {
  /** The id of the key that encrypts. */
  readonly currentId: string;
  seal(plain: string, purpose: string): string;
  /** Throws `secret_unreadable` where the key is not among ours, or the text is not what was sealed for this purpose. */
  open(sealed: string, purpose: string): string;
  isCurrent(sealed: string): boolean;
  /** Keys of another use, the first one's first: nobody who learns one learns the others. */
  derive(use: string): readonly { readonly id: string; readonly secret: string }[];
}

const scheme = 'kt1';
const nonceBytes = 12;
const tagBytes = 16;
export const secretKeyLengthMin = 32;

export const isSealed = (text: string): boolean => text.startsWith(`${scheme}.`);

export const createKeyring = (secretKeys: readonly string[]): Keyring => {
  if (secretKeys.length === 0 || secretKeys.some((key) => key.length < secretKeyLengthMin)) throw new RangeError(`at least one key of ${secretKeyLengthMin} characters is needed`);
  const keys = secretKeys.map((text) => ({ text, id: keyIdOf(text), key: Buffer.from(deriveKey(text, 'stored secrets')) }));
  const [current] = keys as [(typeof keys)[number]];
  return {
    currentId: current.id,
    seal: (plain, purpose) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(purpose));
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return textOf(current.id, Buffer.concat([nonce, text, cipher.getAuthTag()]));
    },
    open: (sealed, purpose) => {
      const [, id, body = ''] = sealed.split('.');
      const found = keys.find((key) => key.id === id);
      if (!isSealed(sealed) || !found) throw unreadable('its key is not among those of KILOTOKEN_SECRET_KEY');
      const bytes = Buffer.from(body, 'base64url');
      // Node's decoder skips what it does not know and ignores the last character's spare bits.
      if (sealed !== textOf(found.id, bytes)) throw unreadable('it was changed');
      return decrypt(found.key, bytes, purpose);
    },
    isCurrent: (sealed) => sealed.startsWith(`${scheme}.${current.id}.`),
    derive: (use) => keys.map(({ text, id }) => ({ id, secret: Buffer.from(deriveKey(text, use)).toString('hex') })),
  };
};

const textOf = (keyId: string, bytes: Buffer): string => `${scheme}.${keyId}.${bytes.toString('base64url')}`;

const decrypt = (key: Buffer, bytes: Buffer, purpose: string): string => {
  if (bytes.length < nonceBytes + tagBytes) throw unreadable('it is cut short');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes }).setAAD(Buffer.from(purpose));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString('utf8');
  } catch (error) {
    throw unreadable('it was changed, or belongs to another place', error);
  }
};

const deriveKey = (text: string, use: string): ArrayBuffer => hkdfSync('sha256', text, 'kilotoken', use, 32);

/** Tells keys apart and nothing of them. */
const keyIdOf = (text: string): string => createHash('sha256').update(`kilotoken key id ${text}`).digest('hex').slice(0, 8);

const unreadable = (reason: string, cause?: unknown): AppError =>
  new AppError({ code: 'secret_unreadable', kind: 'bug', publicMessage: `A stored secret cannot be read: ${reason}.`, cause });
