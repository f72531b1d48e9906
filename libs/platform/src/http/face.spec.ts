import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { exchangeRaw, statusOf } from '../../../../test/support/raw-http.js';
import { systemClock } from '../clock.js';
import { ConfigError } from '../config/config.js';
import { boundPort, createFace, explainListenError, startOpsServer } from './face.js';
import { sendError } from './http-errors.js';
import { createMetricsRegistry } from '../telemetry/metrics.js';

const internalToken = 'a-token-of-24-characters';
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

const listen = async (bodyLimitBytes?: number): Promise<{ face: FastifyInstance; port: number }> => {
  const face = createFace({ clock: systemClock, internalToken: null, bodyLimitBytes });
  face.setErrorHandler((error, request, reply) => sendError(request, reply, error));
  face.post('/echo', async ({ body, id, ip }) => ({ isBuffer: Buffer.isBuffer(body), bytes: Buffer.isBuffer(body) ? body.length : 0, id, ip }));
  await face.listen({ port: 0, host: '127.0.0.1' });
  closers.push(() => face.close());
  return { face, port: boundPort(face) };
};

const post = (port: number, body: string, ...headers: string[]): Promise<string> =>
  exchangeRaw(port, ['POST /echo HTTP/1.1', 'Host: x', 'Connection: close', ...headers, '', body].join('\r\n'));

describe('a face', () => {
  it.each(['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream'])('a body of type %s arrives as the bytes that were sent', async (type) => {
    const { port } = await listen();
    const answer = await post(port, '{"a":', `Content-Type: ${type}`, 'Content-Length: 5');
    expect(answer).toContain('{"isBuffer":true,"bytes":5');
  });

  it('a body without a content type arrives too, and no body is none', async () => {
    const { port } = await listen();
    expect(await post(port, 'hello', 'Content-Length: 5')).toContain('{"isBuffer":true,"bytes":5');
    expect(await post(port, '', 'Content-Length: 0')).toContain('{"isBuffer":false,"bytes":0');
  });

  it('a body at the limit passes and one byte more is 413, declared or chunked', async () => {
    const { port } = await listen(10);
    expect(statusOf(await post(port, '0123456789', 'Content-Length: 10'))).toBe(200);
    const declared = await post(port, '0123456789X', 'Content-Length: 11');
    expect(statusOf(declared)).toBe(413);
    expect(declared).toContain('"code":"body_too_large"');
    expect(statusOf(await post(port, 'b\r\n0123456789X\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'))).toBe(413);
  });

  it.each([
    ['Content-Length with Transfer-Encoding', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['two Content-Lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['a negative Content-Length', ['Content-Length: -5']],
  ])('%s is 400', async (_what, headers) => {
    const { port } = await listen();
    expect(statusOf(await post(port, 'hello', ...headers))).toBe(400);
  });

  it("a client's own request id and forwarded address are not believed", async () => {
    const { port } = await listen();
    const answer = await post(port, '', 'Content-Length: 0', 'X-Request-Id: mine', 'Request-Id: mine', 'X-Forwarded-For: 9.9.9.9');
    expect(answer).toMatch(/"id":"[0-9a-f-]{36}","ip":"127\.0\.0\.1"/);
  });
});

describe('a port that cannot be had', () => {
  const occupy = async (): Promise<{ server: Server; port: number }> => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    return { server, port: (server.address() as { port: number }).port };
  };

  it('a taken port is named together with the variable that changes it', async () => {
    const { port } = await occupy();
    const registry = createMetricsRegistry('test');
    const start = startOpsServer({ host: '127.0.0.1', port, portSetting: 'API_METRICS_PORT', internalToken, registry, clock: systemClock });
    await expect(start).rejects.toThrow(ConfigError);
    await expect(start).rejects.toThrow(`API_METRICS_PORT is wrong: port ${port} on 127.0.0.1 is already taken`);
  });

  it.each([
    ['EACCES', 'choose one above 1023'],
    ['EADDRNOTAVAIL', 'HOST is wrong'],
    ['ENOTFOUND', 'HOST is wrong'],
  ])('%s says what to change', (code, words) => {
    const explained = explainListenError(Object.assign(new Error('listen'), { code }), { host: '10.9.8.7', port: 80, portSetting: 'API_PORT' });
    expect((explained as Error).message).toContain(words);
  });

  it('any other error stays as it is', () => {
    const error = new Error('something else');
    expect(explainListenError(error, { host: '127.0.0.1', port: 1, portSetting: 'X' })).toBe(error);
  });
});

describe('the metrics of a public process', () => {
  it('stand on a port of their own, with the token alone, and nothing else is there', async () => {
    const server = await startOpsServer({
      host: '127.0.0.1',
      port: 0,
      portSetting: 'X',
      internalToken,
      registry: createMetricsRegistry('test'),
      clock: systemClock,
    });
    closers.push(() => server.close());
    const get = (path: string, headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, { headers });
    expect((await get('/metrics')).status).toBe(401);
    const authorized = { authorization: `Bearer ${internalToken}` };
    const metrics = await get('/metrics', authorized);
    expect(metrics.status).toBe(200);
    expect(await metrics.text()).toMatch(/process_cpu_seconds_total\{process="test"\}/);
    expect((await get('/other', authorized)).status).toBe(404);
  });
});
