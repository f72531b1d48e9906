import { isPlainRecord, type Refusal } from './refusal.js';
import type { AttemptKind } from '@kilotoken/people';
import { AppError } from '@kilotoken/platform';
import type { FastifyReply } from 'fastify';

/** The routes of better-auth that we serve, and the bound on guessing that each stands under. */
export const libraryRoutes: Readonly<Record<string, { readonly method: 'GET' | 'POST'; readonly attempt: AttemptKind | null }>> = {
  'sign-in/email': { method: 'POST', attempt: 'sign-in' },
  'sign-out': { method: 'POST', attempt: null },
  'request-password-reset': { method: 'POST', attempt: 'reset' },
  'reset-password': { method: 'POST', attempt: 'reset' },
  'change-password': { method: 'POST', attempt: 'sign-in' },
  'revoke-sessions': { method: 'POST', attempt: null },
  'revoke-other-sessions': { method: 'POST', attempt: null },
  'two-factor/enable': { method: 'POST', attempt: 'sign-in' },
  'two-factor/disable': { method: 'POST', attempt: 'sign-in' },
  'two-factor/generate-backup-codes': { method: 'POST', attempt: 'sign-in' },
  'two-factor/verify-totp': { method: 'POST', attempt: 'second-factor' },
  'two-factor/verify-backup-code': { method: 'POST', attempt: 'second-factor' },
};

const invalidBody = (publicMessage: string): AppError => new AppError({ code: 'sign_in_invalid', kind: 'invalid', publicMessage });

/** The fields of a JSON object; an absent body is an empty one. A form of another site cannot send JSON. */
export const readBody = (body: unknown, contentType: string | undefined): Readonly<Record<string, unknown>> => {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  if (!/^application\/json\s*(;|$)/i.test(contentType ?? '')) throw new AppError({ code: 'sign_in_invalid', kind: 'invalid', publicMessage: 'The content type must be application/json.' });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    // The cause would quote a password.
    throw invalidBody('The body is not JSON.');
  }
  if (!isPlainRecord(value)) throw invalidBody('The body must be a JSON object.');
  return value;
};

/** Half of the cookie: a page needs none of it. */
export const withoutToken = (value: unknown): unknown => {
  if (!isPlainRecord(value)) return value;
  const { token: _token, ...rest } = value;
  return rest;
};

/** A refusal of better-auth. Its text says nothing that its code does not. */
export const refusalOf = (status: number, text: string): Refusal => {
  const parsed = parse(text);
  const code = typeof parsed['code'] === 'string' ? parsed['code'] : 'REFUSED';
  const message = typeof parsed['message'] === 'string' && status < 500 ? parsed['message'] : 'Something went wrong on our side.';
  return { status, code, message };
};

const parse = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text);
    return isPlainRecord(value) ? value : {};
  } catch {
    // A refusal without a body is one all the same.
    return {};
  }
};

/** In the shape of all our errors; `code` and `message` stand on top as well, where better-auth's own client looks for them. */
export const sendRefusal = (reply: FastifyReply, requestId: string, { status, code, message }: Refusal): FastifyReply =>
  reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify({ error: { code: code.toLowerCase(), message, request_id: requestId }, code, message }));
