import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { exposedHeaders, registerCors, type CorsOrigins } from './cors.js';

const faceFor = async (origins: CorsOrigins): Promise<FastifyInstance> => {
  const face = fastify();
  registerCors(face, origins);
  await face.register(
    async (v1) => {
      v1.addHook('onRequest', (_request, reply) => void reply.code(401).send('no key'));
      v1.setNotFoundHandler((_request, reply) => void reply.code(404).send());
    },
    { prefix: '/v1' },
  );
  face.get('/raw', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'x-request-id': '1' }).end('written past Fastify');
  });
  face.get('/open', async () => 'ok');
  return face;
};
const preflight = (origin: string, headers = 'authorization,content-type') => ({
  method: 'OPTIONS' as const,
  url: '/v1/chat/completions',
  headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
});

describe('pages of other origins', () => {
  it('that are named may call, from their preflight on, which needs no key', async () => {
    const face = await faceFor(new Set(['https://app.example']));
    const { statusCode, headers, body } = await face.inject(preflight('https://app.example', 'authorization, content-type, x-stainless-os'));
    expect([statusCode, body]).toEqual([204, '']);
    expect(headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example', 'access-control-allow-headers': 'authorization, content-type, x-stainless-os', vary: 'origin' });
    expect(headers['access-control-allow-methods']).toMatch(/\bPOST\b/);
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
    for (const url of ['/open', '/raw', '/v1/models', '/nothing']) {
      const answer = await face.inject({ url, headers: { origin: 'https://app.example' } });
      expect([url, answer.headers['access-control-allow-origin'], answer.headers.vary]).toEqual([url, 'https://app.example', 'origin']);
      expect(answer.headers['access-control-expose-headers']).toMatch(/\bx-request-id\b/);
    }
  });

  it('that are not named are told nothing', async () => {
    const face = await faceFor(new Set(['https://app.example']));
    for (const origin of ['https://other.example', 'https://app.example.evil.example', 'http://app.example', 'https://app.example:444', 'null']) {
      for (const answer of [await face.inject(preflight(origin)), await face.inject({ url: '/open', headers: { origin } })]) {
        expect([origin, Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))]).toEqual([origin, []]);
        expect(answer.headers.vary).toBe('origin');
      }
    }
    expect((await face.inject(preflight('https://other.example'))).statusCode).toBe(401);
  });

  it('may all call where the star says so', async () => {
    const face = await faceFor('*');
    expect((await face.inject(preflight('https://any.example'))).headers['access-control-allow-origin']).toBe('*');
    expect((await face.inject({ url: '/open', headers: { origin: 'null' } })).headers['access-control-allow-origin']).toBe('*');
    expect((await face.inject({ url: '/open' })).headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('cannot put anything into a header with a preflight', async () => {
    const face = await faceFor('*');
    for (const asked of ['a: b', 'a,,b', 'a b', 'x'.repeat(5_000)]) {
      expect((await face.inject(preflight('https://any.example', asked))).headers).not.toHaveProperty('access-control-allow-headers');
    }
  });

  it('an OPTIONS that is no preflight is answered as any other request', async () => {
    const face = await faceFor('*');
    expect((await face.inject({ method: 'OPTIONS', url: '/v1/models', headers: { origin: 'https://any.example' } })).statusCode).toBe(401);
  });
});

it('scripts may read every header that the gateway sends', () => {
  const source = fileURLToPath(new URL('..', import.meta.url));
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts') && !file.endsWith('lane-client.service.ts') && !file.endsWith('cors.ts'));
  const text = files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
  const written = [...text.matchAll(/['"`](x-(?:kilotoken|should|request)-[a-z-]+|retry-after(?:-ms)?|x-ratelimit-[a-z]+-)/g)].map(([, name]) => name!);
  expect(written.length).toBeGreaterThan(8);
  expect(written.filter((name) => !exposedHeaders.some((known) => known === name || (name.endsWith('-') && known.startsWith(name))))).toEqual([]);
});
