import { errorCatalogue } from '@kilotoken/contracts';
import { openAiErrorBody } from '@kilotoken/openai';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { closeGently } from '../intake/close-gently.js';
import { Refusal, toRefusal } from '../request/refusal.js';
import { describeMissingAddress } from './addresses.js';

/** Retry advice goes with 429 and 503, unless the refusal says that trying again is no use. */
const retryAfterOf = (refusal: Refusal): string | null => {
  if (refusal.status !== 429 && refusal.status !== 503) return null;
  if (refusal.headers['x-should-retry'] === 'false') return null;
  const { retryAfter } = refusal.details;
  return typeof retryAfter === 'string' ? retryAfter : '1';
};

/** Answers in OpenAI's error shape, so that its SDKs raise their own exception classes. */
export const sendRefusal = (request: FastifyRequest, reply: FastifyReply, error: unknown): void => {
  const refusal = toRefusal(error);
  if (request.wideEvent) {
    request.wideEvent['code'] = refusal.code;
    Object.assign(request.wideEvent, refusal.details);
    if (refusal.status >= 500 && !(error instanceof Refusal)) request.wideEvent['error'] = error;
  }
  if (reply.raw.headersSent || reply.raw.destroyed) return;
  const retryAfter = retryAfterOf(refusal);
  reply.header('x-should-retry', String(errorCatalogue[refusal.code].shouldRetry));
  if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
  if (retryAfter !== null) reply.header('retry-after', retryAfter);
  reply.headers(refusal.headers);
  closeGently(request, reply, refusal.code);
  reply
    .code(refusal.status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(openAiErrorBody(refusal.code, refusal.message, refusal.param, refusal.details['generation'])));
};

/** The address says what is right instead. */
export const missingAddress = ({ method, url, headers }: FastifyRequest): Refusal =>
  new Refusal('not_found', describeMissingAddress({ method, path: url.split('?')[0]!, host: headers.host ?? null, isSecure: headers['x-forwarded-proto'] === 'https' }));

/** All errors that arise outside of /v1, in the same shape: who comes there has a client of OpenAI's API, too. */
export const sendOutside = (request: FastifyRequest, reply: FastifyReply, error: unknown): void => {
  const refusal = toRefusal(error);
  const isMissing = !(error instanceof Refusal) && refusal.code === 'not_found';
  sendRefusal(request, reply, isMissing ? missingAddress(request) : error);
};
