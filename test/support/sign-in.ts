import { createHmac } from 'node:crypto';

/** Sign-in over HTTP, as a browser and an authenticator application speak to it. */
export interface SignInAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly cookies: string[];
  readonly headers: Headers;
}

export type Call = (path: string, body?: object, headers?: Record<string, string>) => Promise<SignInAnswer>;

/** `url` ends with `/api/auth`. */
export const callSignIn = async (url: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<SignInAnswer> => {
  const response = await fetch(`${url}/${path}`, { method: body ? 'POST' : 'GET', headers: { ...(body && { 'content-type': 'application/json' }), ...headers }, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>, cookies: response.headers.getSetCookie(), headers: response.headers };
};

/** The cookies of an answer, for the next request. */
export const cookieOf = (answer: SignInAnswer): string => answer.cookies.map((cookie) => cookie.split(';')[0]!).join('; ');

/** RFC 6238 with SHA-1, six digits and steps of 30 s, as authenticator applications compute it. */
export const totp = (uri: string): string => {
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', decodeBase32(new URL(uri).searchParams.get('secret')!)).update(step).digest();
  const number = digest.readUInt32BE(digest.at(-1)! & 0xf) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
};

const decodeBase32 = (text: string): Buffer => {
  const bits = [...text.replace(/=+$/, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
};
