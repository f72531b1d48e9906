import { createHmac, timingSafeEqual } from 'node:crypto';

/** The cookie of a session as better-auth writes it: the token, a dot, and the base64 HMAC-SHA256 of the token. */
export const sessionCookieName = (isSecure: boolean): string => `${isSecure ? '__Secure-' : ''}kilotoken.session_token`;

const cookieHeaderLengthMax = 16_384;

/** The token of a session's cookie with a right signature; null without one. */
export const readSessionToken = (cookieHeader: string | undefined, name: string, secret: string): string | null => {
  if (cookieHeader === undefined || cookieHeader.length > cookieHeaderLengthMax) return null;
  for (const part of cookieHeader.split(';')) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() !== name) continue;
    const token = readSigned(part.slice(at + 1).trim(), secret);
    if (token !== null) return token;
  }
  return null;
};

const readSigned = (encoded: string, secret: string): string | null => {
  const value = decode(encoded);
  const dot = value.lastIndexOf('.');
  if (dot < 1) return null;
  const token = value.slice(0, dot);
  const signature = Buffer.from(value.slice(dot + 1), 'base64');
  const right = createHmac('sha256', secret).update(token).digest();
  return signature.length === right.length && timingSafeEqual(signature, right) ? token : null;
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign: no cookie of ours.
    return '';
  }
};
