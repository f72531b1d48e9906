import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale } from '../support/cluster-seed.js';
import { exchangeRaw, statusOf } from '../support/raw-http.js';
import { until } from '../support/until.js';

/** There is one way to a model, which holds money first, and one way for our vendor's key: no side door past either. */

const VENDOR_KEY = 'vendor-secret';

interface Seen {
  path: string;
  headers: IncomingHttpHeaders;
}
interface Listener {
  server: Server;
  url: string;
  seen: Seen[];
}
type Handle = (response: ServerResponse, body: { stream?: boolean }) => void;

let vendor: Listener;
let elsewhere: Listener;
let cluster: Cluster;
let handle: Handle;

const readBody = async (request: IncomingMessage): Promise<{ stream?: boolean }> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}') as { stream?: boolean };
};
const listen = async (answer: () => Handle): Promise<Listener> => {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url!, headers: request.headers });
    void readBody(request).then((body) => answer()(response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen };
};
const close = (listener: Listener | undefined): void => {
  listener?.server.close();
  listener?.server.closeAllConnections();
};

/** An answer of two tokens to a prompt of nine, whose usage says besides that it was free. */
const serveForNothing: Handle = (response, { stream }) => {
  const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11, cost: 0, cost_currency: 'XXX', is_byok: true };
  const common = { id: 'chatcmpl-1', created: 1, model: 'mock' };
  if (!stream) {
    const message = { role: 'assistant', content: 'two words' };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ ...common, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }], usage }));
    return;
  }
  const chunk = (choices: object[], more: object = {}): string => `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...more })}\n\n`;
  response.setHeader('content-type', 'text/event-stream');
  response.write(chunk([{ index: 0, delta: { role: 'assistant', content: 'two ' }, finish_reason: null }]));
  response.write(chunk([{ index: 0, delta: { content: 'words' }, finish_reason: 'stop' }]));
  response.end(`${chunk([], { usage })}data: [DONE]\n\n`);
};

beforeAll(async () => {
  vendor = await listen(() => handle);
  elsewhere = await listen(() => serveForNothing);
  cluster = await startCluster({
    models: [
      { model: 'mock', lanes: [{ baseUrl: vendor.url, keyEnv: 'VENDOR_KEY' }] },
      { model: 'broken-key', lanes: [{ baseUrl: vendor.url, keyEnv: 'BROKEN_VENDOR_KEY' }] },
    ],
    grants: ['10'],
    env: { VENDOR_KEY, BROKEN_VENDOR_KEY: `${VENDOR_KEY}\r\nx-injected: 1`, ATTEMPTS_MAX: '1' },
  });
});
afterEach(() => cluster.expectSettled());
afterAll(async () => {
  await cluster?.stop();
  close(vendor);
  close(elsewhere);
});

const headers = (): Record<string, string> => ({ authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' });
const chat = (more: Record<string, unknown> = {}, moreHeaders: Record<string, string> = {}): Promise<Response> =>
  fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
    method: 'POST',
    headers: { ...headers(), ...moreHeaders },
    body: JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: 'hello' }], ...more }),
  });
const codeOf = async (answer: Response): Promise<string> => ((await answer.json()) as { error: { code: string } }).error.code;
const usageCount = async (): Promise<number> => (await cluster.sql('SELECT 1 FROM usage')).length;
const heldNow = async (): Promise<string> => {
  const answer = await fetch(`${cluster.gatewayUrls[0]}/credits`, { headers: headers() });
  return ((await answer.json()) as { data: { held: string }[] }).data[0]!.held;
};
const rowOf = (requestId: string) =>
  until('the request is settled', async () => (await cluster.sql<{ outcome: string; charge: string }>('SELECT outcome, trim_scale(charge)::text AS charge FROM usage WHERE id = $1', [requestId]))[0]);

describe('what is not sold', () => {
  it.each([
    '/embeddings', '/responses', '/moderations', '/audio/speech', '/audio/transcriptions', '/images/generations', '/images/edits', '/videos', '/batches', '/files',
    '/fine_tuning/jobs', '/assistants', '/threads/runs', '/messages', '/rerank', '/realtime/sessions', '/engines/mock/completions', '/chat/completions/batch', '/passthrough/chat/completions', '/vendor/v1/chat/completions',
  ])('%s is no side door: nothing is there, no vendor is called and nothing is stored', async (path) => {
    const [served, stored] = [vendor.seen.length, await usageCount()];
    for (const method of ['POST', 'GET', 'PUT', 'PATCH', 'DELETE']) {
      const body = method === 'GET' ? {} : { body: JSON.stringify({ model: 'mock', input: 'x', messages: [{ role: 'user', content: 'x' }] }) };
      const answer = await fetch(`${cluster.gatewayUrls[0]}${path}`, { method, headers: headers(), ...body });
      expect([method, answer.status, await codeOf(answer)]).toEqual([method, 404, 'not_found']);
    }
    expect([vendor.seen.length, await usageCount()]).toEqual([served, stored]);
  });

  it('a connection is not upgraded to anything that could go on unmetered', async () => {
    const served = vendor.seen.length;
    for (const path of ['/v1/realtime?model=mock', '/v1/chat/completions']) {
      const upgrade = [`GET ${path} HTTP/1.1`, 'Host: gateway', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', `Authorization: Bearer ${cluster.apiKey}`, '', ''];
      const status = statusOf(await exchangeRaw(cluster.gateways[0]!.port, upgrade.join('\r\n')));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
    expect(vendor.seen).toHaveLength(served);
  });
});

describe("our vendor's key", () => {
  it.each([301, 302, 303, 307, 308])('does not follow a redirect (%d): the request fails, costs nothing and reaches nobody else', async (status) => {
    handle = (response) => void response.writeHead(status, { location: `${elsewhere.url}/chat/completions` }).end();
    for (const stream of [false, true]) {
      const answer = await chat({ stream });
      expect([answer.status, await codeOf(answer)]).toEqual([502, 'upstream_error']);
      expect(await rowOf(answer.headers.get('x-request-id')!)).toEqual({ outcome: 'upstream_failed', charge: '0' });
    }
    expect(elsewhere.seen).toEqual([]);
  });

  it("goes with our headers alone: nothing that a customer's headers say reaches the vendor or moves the request", async () => {
    handle = serveForNothing;
    const theirs = { host: elsewhere.url, 'x-forwarded-host': elsewhere.url, 'x-original-url': '/v1/files', 'x-api-base': elsewhere.url, 'openai-organization': 'org-ours', 'openai-project': 'p', cookie: 'a=b', 'x-api-key': 'other', 'proxy-authorization': 'Basic eA==', forwarded: 'host=elsewhere' };
    expect((await chat({}, theirs)).status).toBe(200);
    const seen = vendor.seen.at(-1)!;
    expect(seen.path).toBe('/v1/chat/completions');
    expect(seen.headers).toMatchObject({ authorization: `Bearer ${VENDOR_KEY}`, host: new URL(vendor.url).host });
    expect(Object.keys(seen.headers).sort()).toEqual(['accept', 'accept-encoding', 'authorization', 'connection', 'content-length', 'content-type', 'host', 'x-request-id']);
    expect(elsewhere.seen).toEqual([]);
  });

  it('that cannot stand in a header is sent nowhere: its lane is not tried, and nothing is held', async () => {
    const served = vendor.seen.length;
    for (const stream of [false, true]) {
      const answer = await chat({ model: 'broken-key', stream });
      expect(answer.status).toBeGreaterThanOrEqual(500);
      expect(await answer.text()).not.toContain(VENDOR_KEY);
    }
    expect(await heldNow()).toBe('0');
    expect(vendor.seen).toHaveLength(served);
    expect(cluster.logs()).not.toContain(VENDOR_KEY);
  });
});

describe('a vendor that says that its answer was free', () => {
  it.each([false, true])('makes nothing free: the counts are charged at our price (stream = %s)', async (stream) => {
    handle = serveForNothing;
    const answer = await chat({ stream, ...(stream ? { stream_options: { include_usage: true } } : {}) });
    const text = await answer.text();
    const price = defaultSale(9, 2);
    expect(text).toContain(`"cost":${price},`);
    expect(text).toContain('"cost_currency":"USD"');
    expect(text).not.toMatch(/"cost":0[,}]|"XXX"|is_byok/);
    expect(await rowOf(answer.headers.get('x-request-id')!)).toEqual({ outcome: 'completed', charge: price });
  });
});

describe('a request without a key', () => {
  it('is refused before its body is read', async () => {
    const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: gateway', 'Content-Type: application/json', 'Connection: close', 'Content-Length: 10000000'];
    for (const key of [[], ['Authorization: Bearer kt_live_nonsense']]) {
      expect(statusOf(await exchangeRaw(cluster.gateways[0]!.port, [...head, ...key, '', '{'].join('\r\n')))).toBe(401);
    }
  });
});
