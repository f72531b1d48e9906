import { createHash } from 'node:crypto';

/** Texts that open something and are shown once. Only their SHA-256 is stored: they are random, so nothing slower is needed. */
const secretBytes = 32;
const serviceTokenShape = /^kst_[A-Za-z0-9_-]{43}$/;
const prefixLength = 12;

export type RandomBytes = (size: number) => Buffer;

export const mintServiceToken = (randomBytes: RandomBytes): { readonly token: string; readonly prefix: string } => {
  const token = `kst_${randomBytes(secretBytes).toString('base64url')}`;
  return { token, prefix: token.slice(0, prefixLength) };
};

export const isServiceToken = (text: string): boolean => serviceTokenShape.test(text);

/** The secret of an invitation's link. */
export const mintLinkSecret = (randomBytes: RandomBytes): string => randomBytes(secretBytes).toString('base64url');

export const hashSecret = (text: string): Buffer => createHash('sha256').update(text).digest();
