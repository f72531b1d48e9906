import { createHmac, timingSafeEqual } from 'node:crypto';

/** The cookie of a session as better-auth writes it: the token, a dot, and the base64 HMAC-SHA256 of the token. */
export const sessionCookieName = (isSecure: boolean): string => `${isSecure ? '__Secure-' : ''}kilotoken.session_token`;

const cookieHeaderLengthMax = 16_384;

/** The token of a session's cookie with a signature by one of the secrets; null without one. */
export const readSessionToken = (cookieHeader: string | undefined, name: string, secrets: readonly string[]): string | null => {
  if (cookieHeader === undefined || cookieHeader.length > cookieHeaderLengthMax) return null;
  for (const part of cookieHeader.split(';')) {
    const token = readPart(part, name, secrets);
    if (token !== null) return token;
  }
  return null;
};

/** The cookies with the session's signed by the first secret, which alone better-auth accepts, where another of them signed it. */
export const signSessionAnew = (cookieHeader: string, name: string, secrets: readonly string[]): string => {
  if (cookieHeader.length > cookieHeaderLengthMax) return cookieHeader;
  const older = secrets.slice(1);
  return cookieHeader.split(';').map((part) => {
    const token = readPart(part, name, older);
    return token === null ? part : ` ${name}=${encodeURIComponent(`${token}.${signatureOf(token, secrets[0]!).toString('base64')}`)}`;
  }).join(';').trim();
};

const readPart = (part: string, name: string, secrets: readonly string[]): string | null => {
  const at = part.indexOf('=');
  if (part.slice(0, at).trim() !== name) return null;
  const value = decode(part.slice(at + 1).trim());
  const dot = value.lastIndexOf('.');
  if (dot < 1) return null;
  const token = value.slice(0, dot);
  const signature = Buffer.from(value.slice(dot + 1), 'base64');
  const isRight = secrets.some((secret) => {
    const right = signatureOf(token, secret);
    return signature.length === right.length && timingSafeEqual(signature, right);
  });
  return isRight ? token : null;
};

const signatureOf = (token: string, secret: string): Buffer => createHmac('sha256', secret).update(token).digest();

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign: no cookie of ours.
    return '';
  }
};
