import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { systemClock } from '../clock.js';
import { boundPort, createFace } from './face.js';
import { createReadiness, registerHealth } from './health.js';
import { sendError } from './http-errors.js';
import { createTokenCheck, guardWithToken } from './internal-token.js';
import { exchangeRaw, statusOf } from '../../../../test/support/raw-http.js';

const token = 'a-token-of-24-characters';
let face: FastifyInstance;
let port: number;

beforeAll(async () => {
  face = createFace({ clock: systemClock, internalToken: token });
  face.setErrorHandler((error, request, reply) => sendError(request, reply, error));
  face.setNotFoundHandler((request, reply) => sendError(request, reply, { statusCode: 404 }));
  guardWithToken(face, token);
  registerHealth(face, createReadiness({ checks: [], clock: systemClock, isDraining: () => false, onFailure: () => undefined }));
  face.get('/secret', async () => 'secret');
  await face.listen({ port: 0, host: '127.0.0.1' });
  port = boundPort(face);
});

afterAll(() => face.close());

const ask = (line: string, ...headers: string[]): Promise<string> =>
  exchangeRaw(port, [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'));

describe('an internal face', () => {
  it.each(['GET /healthz', 'HEAD /healthz', 'GET /readyz', 'HEAD /readyz'])('%s needs no token', async (line) => {
    expect(statusOf(await ask(line))).toBe(200);
  });

  it.each([
    'GET /secret',
    'HEAD /secret',
    'GET /unknown',
    'POST /healthz',
    'OPTIONS /healthz',
    'GET /healthz/',
    'GET //healthz',
    'GET /healthz?x=1',
    'GET /healthz#x',
    'GET /health%7a',
    'GET /%68ealthz',
    'GET /secret/..%2fhealthz',
    'GET /secret/../healthz',
    'GET /healthz/../secret',
    'GET /HEALTHZ',
    'GET http://x/healthz',
    'GET *',
    'GET /%zz',
    'GET /%c0%af',
  ])('%s is refused without a token, whether or not anything is there', async (line) => {
    const answer = await ask(line);
    expect(statusOf(answer)).toBe(401);
    expect(answer).not.toContain('secret');
  });

  it.each([
    ['another token', 'Authorization: Bearer a-token-of-24-characterz'],
    ['a prefix of it', 'Authorization: Bearer a-token-of-24'],
    ['more than it', `Authorization: Bearer ${token}x`],
    ['no scheme', `Authorization: ${token}`],
    ['another scheme', `Authorization: Basic ${token}`],
    ['an empty one', 'Authorization: Bearer '],
    ['the token in the query', 'X-Nothing: 1'],
    ['two headers, the second right', `Authorization: Bearer wrong\r\nAuthorization: Bearer ${token}`],
    ['two headers, both right', `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}`],
  ])('%s is refused', async (_what, header) => {
    expect(statusOf(await ask(`GET /secret?token=${token}`, header))).toBe(401);
  });

  it.each(['Bearer', 'bearer', 'BEARER'])('the token opens it, with the scheme written %s', async (scheme) => {
    const answer = await ask('GET /secret', `Authorization: ${scheme} ${token}`);
    expect(statusOf(answer)).toBe(200);
  });

  it('with the token a malformed address is a 400 and an unknown one a 404', async () => {
    const header = `Authorization: Bearer ${token}`;
    expect(statusOf(await ask('GET /%zz', header))).toBe(400);
    expect(statusOf(await ask('GET /unknown', header))).toBe(404);
  });

  it('a header of 10 KB is compared without trouble', () => {
    expect(createTokenCheck(token)([`Bearer ${'x'.repeat(10_240)}`])).toBe(false);
  });
});
