import { fastify } from 'fastify';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { reportReady } from './child.js';

/**
 * The gateway's competitor: the least possible proxy on the same stack. It reads the body, forwards it by undici and pipes
 * the answer back. It checks no key, and it parses, counts and stores nothing.
 */
const [vendorOrigin] = process.argv.slice(2);
if (!vendorOrigin) throw new Error('the vendor is not named');

const connectionsMax = 1_024;
const keepAliveMs = 600_000;
const bodyBytesMax = 20 * 1024 * 1024;

const vendor = new Pool(vendorOrigin, { connections: connectionsMax, pipelining: 1 });
const face = fastify({ logger: false, bodyLimit: bodyBytesMax, keepAliveTimeout: keepAliveMs });
face.removeAllContentTypeParsers();
face.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

face.post('/v1/chat/completions', async (request, reply) => {
  const { statusCode, headers, body } = await vendor.request({
    path: '/v1/chat/completions',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: request.body as Buffer,
  });
  reply.code(statusCode).header('content-type', headers['content-type']);
  if (headers['content-length'] !== undefined) reply.header('content-length', headers['content-length']);
  return reply.send(body);
});

await face.listen({ host: '127.0.0.1', port: 0 });
reportReady({ port: (face.server.address() as AddressInfo).port });
