import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import { healthPaths } from './health.js';

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Compares digests, which have one length, in constant time: neither length nor prefix of the token can be timed. */
export const createTokenCheck = (token: string): ((authorization: readonly string[] | undefined) => boolean) => {
  const expected = digestOf(token);
  return (authorization) => {
    // Two headers are refused: parsers differ in which one they believe.
    if (authorization?.length !== 1) return false;
    const [, given] = /^Bearer +(\S+)$/i.exec(authorization[0]!) ?? [];
    return given !== undefined && timingSafeEqual(digestOf(given), expected);
  };
};

export const internalTokenNeeded = (): AppError =>
  new AppError({
    code: 'internal_token_needed',
    kind: 'unauthenticated',
    publicMessage: 'This address is internal: send Authorization: Bearer with INTERNAL_TOKEN.',
  });

const openPaths: ReadonlySet<string> = new Set(healthPaths);

/**
 * Refuses everything without the token but GET and HEAD of exactly /healthz, /health and /readyz. It compares the request's own
 * bytes, before any decoding, so an encoded, absolute or slashed form of a path is never exempt; and as a hook of the
 * root instance it runs for unknown paths too, which would otherwise tell what exists.
 */
export const guardWithToken = (fastify: FastifyInstance, token: string): void => {
  const isAuthorized = createTokenCheck(token);
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { method, url, headersDistinct } = request.raw;
    const isOpen = (method === 'GET' || method === 'HEAD') && openPaths.has(url ?? '');
    done(isOpen || isAuthorized(headersDistinct['authorization']) ? undefined : internalTokenNeeded());
  });
};
