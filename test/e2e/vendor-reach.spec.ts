import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import type { VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** How vendors are reached: through proxies, with keys that can be sent, and with answers in encodings that nobody asked for. */

const PROXY_LOGIN = 'proxy-user:pr0xy-p@ss';

/** Both ways of a proxy: it asks for http:// itself and tunnels the rest. Every name leads to one port of this machine. */
class Proxy {
  readonly seen: string[] = [];
  readonly logins = new Set<string>();
  /** What came through tunnels first: 22 begins a TLS handshake. */
  readonly firstBytes: number[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor(private readonly vendorPort: () => number) {
    this.server = createServer((request, response) => {
      this.note(`${request.method} ${request.url}`, request.headers['proxy-authorization']);
      const { 'proxy-authorization': _login, ...headers } = request.headers;
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = new URL(request.url!);
        void fetch(`http://127.0.0.1:${this.vendorPort()}${url.pathname}`, { method: 'POST', headers: { 'content-type': String(headers['content-type']), 'x-request-id': String(headers['x-request-id']) }, body: Buffer.concat(chunks) }).then(async (answer) => {
          response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type')! }).end(Buffer.from(await answer.arrayBuffer()));
        });
      });
    });
    this.server.on('connect', (request, socket: Socket) => {
      this.note(`CONNECT ${request.url}`, request.headers['proxy-authorization']);
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', (bytes: Buffer) => {
        this.firstBytes.push(bytes[0]!);
        const onward = connect(this.vendorPort(), '127.0.0.1').on('error', () => undefined);
        onward.end(bytes);
        socket.destroy();
      });
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const [user, password] = PROXY_LOGIN.split(':');
    return `http://${user}:${encodeURIComponent(password!)}@127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
    for (const socket of this.sockets) socket.destroy();
  }

  private note(what: string, login: string | undefined): void {
    this.seen.push(what);
    if (login !== undefined) this.logins.add(Buffer.from(login.replace('Basic ', ''), 'base64').toString());
  }
}

let vendor: Vendor;
let proxy: Proxy;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  const port = Number(new URL(vendor.baseUrl).port);
  proxy = new Proxy(() => port);
  const proxyUrl = await proxy.listen();
  const direct = { baseUrl: vendor.baseUrl };
  cluster = await startCluster({
    models: [
      { model: 'proxied', lanes: [{ baseUrl: 'http://vendor.test/v1' }] },
      { model: 'tunnelled-then-direct', lanes: [{ baseUrl: 'https://secure-vendor.test/v1' }, direct] },
      { model: 'excepted-then-direct', lanes: [{ baseUrl: 'http://direct.vendor.invalid/v1' }, direct] },
      { model: 'direct', lanes: [direct] },
      { model: 'encoded-then-plain', lanes: [{ ...direct, upstreamModel: 'encoded' }, direct] },
      { model: 'no-key', lanes: [{ ...direct, keyEnv: 'UNSET_VENDOR_KEY' }] },
      { model: 'broken-key', lanes: [{ ...direct, keyEnv: 'BROKEN_VENDOR_KEY' }] },
      { model: 'three-broken-keys-then-none', lanes: [...['UNSET_VENDOR_KEY', 'BROKEN_VENDOR_KEY', 'EMPTY_VENDOR_KEY'].map((keyEnv) => ({ ...direct, keyEnv })), direct] },
    ],
    grants: ['10'],
    gatewayEnv: [{ http_proxy: proxyUrl, HTTPS_PROXY: proxyUrl, NO_PROXY: '.vendor.invalid', BROKEN_VENDOR_KEY: 'sk-s3cr3t-k3y\n', EMPTY_VENDOR_KEY: '', ATTEMPTS_MAX: '3' }],
  });
});
afterEach(async () => {
  vendor.control({});
  await cluster.expectSettled();
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
  proxy?.close();
});

const ask = async (model: string, stream: boolean): Promise<{ status: number; text: string; code: string | null }> => {
  const answer = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }),
  });
  const text = await answer.text();
  return { status: answer.status, text, code: answer.ok ? null : (JSON.parse(text) as { error: { code: string } }).error.code };
};

describe.each([false, true])('a vendor behind a proxy, with stream = %s,', (stream) => {
  it('at http:// is asked by the proxy', async () => {
    const { status, text } = await ask('proxied', stream);
    expect([status, text.includes(' time')]).toEqual([200, true]);
    expect(proxy.seen.at(-1)).toBe('POST http://vendor.test/v1/chat/completions');
    expect([...proxy.logins]).toEqual([PROXY_LOGIN]);
  });

  it('at https:// is reached by a tunnel', async () => {
    expect(await ask('tunnelled-then-direct', stream)).toMatchObject({ status: 200 });
    expect(proxy.seen.filter((what) => what.startsWith('CONNECT'))).toContain('CONNECT secure-vendor.test:443');
    expect(proxy.firstBytes.at(-1)).toBe(22);
  });

  it('is reached without it where NO_PROXY says so, as is this machine', async () => {
    const before = proxy.seen.length;
    // The first lane's name leads nowhere: had a proxy been asked, it would have answered.
    expect(await ask('excepted-then-direct', stream)).toMatchObject({ status: 200 });
    expect(await ask('direct', stream)).toMatchObject({ status: 200 });
    expect(proxy.seen).toHaveLength(before);
  });
});

describe('a key that cannot be sent', () => {
  it('leaves its lane out, and every other lane its attempts', async () => {
    expect(await ask('three-broken-keys-then-none', false)).toMatchObject({ status: 200 });
    expect(await cluster.sql('SELECT 1 FROM usage WHERE model = $1', ['three-broken-keys-then-none'])).toHaveLength(1);
  });

  it.each(['no-key', 'broken-key'])('refuses the model before anything is held where no lane is left: %s', async (model) => {
    for (const stream of [false, true]) expect(await ask(model, stream)).toMatchObject({ status: 503, code: 'lane_unavailable' });
    expect(await cluster.sql('SELECT 1 FROM usage WHERE model = $1', [model])).toHaveLength(0);
  });

  it('is named when the gateway starts, with its lane and variable, without its value', () => {
    const [line] = cluster.logs().split('\n').filter((text) => text.includes('"lane.keys_unusable"'));
    const { lanes } = JSON.parse(line!) as { lanes: { model: string; variable: string; problem: string }[] };
    const named = lanes.map(({ model, variable, problem }) => `${model}: ${variable} ${problem}`);
    expect(named).toContain('no-key: UNSET_VENDOR_KEY is not set');
    expect(named).toContain('broken-key: BROKEN_VENDOR_KEY holds a line break');
    expect(named).toContain('three-broken-keys-then-none: EMPTY_VENDOR_KEY is empty');
    expect(cluster.logs()).not.toContain('s3cr3t');
    expect(cluster.logs()).not.toContain('pr0xy');
  });
});

const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };
const json = JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'two words' }, finish_reason: 'stop' }], usage });
const chunk = (choices: object[], more: object = {}): string => `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;
const sse = `${chunk([{ index: 0, delta: { content: 'two words' }, finish_reason: null }])}${chunk([{ index: 0, delta: {}, finish_reason: 'stop' }])}${chunk([], { usage })}data: [DONE]\n\n`;
const encoded = (stream: boolean, encoding: string, encode: (text: string) => Buffer, framing: 'chunked' | 'length'): VendorScript => ({
  raw: { headers: { 'content-type': stream ? 'text/event-stream' : 'application/json', 'content-encoding': encoding }, framing, parts: [{ base64: encode(stream ? sse : json).toString('base64') }] },
});

describe.each([false, true])('an answer that was not to be encoded, with stream = %s,', (stream) => {
  it.each<[string, (text: string) => Buffer]>([
    ['gzip', (text) => gzipSync(text)],
    ['deflate', (text) => deflateSync(text)],
    ['br', (text) => brotliCompressSync(text)],
  ])('is read in %s, in chunks and by its length, and billed as told', async (encoding, encode) => {
    for (const framing of ['chunked', 'length'] as const) {
      vendor.control({ models: { encoded: encoded(stream, encoding, encode, framing) } });
      const answer = await ask('encoded-then-plain', stream);
      expect([answer.status, answer.text.includes('two words')]).toEqual([200, true]);
    }
  });

  it.each(['zstd-of-tomorrow', 'compress'])('moves on in an encoding that nobody knows: %s', async (encoding) => {
    vendor.control({ models: { encoded: encoded(stream, encoding, (text) => gzipSync(text), 'length') } });
    const answer = await ask('encoded-then-plain', stream);
    expect([answer.status, answer.text.includes(' time')]).toEqual([200, true]);
  });

  it('moves on where its bytes are not what they are said to be', async () => {
    vendor.control({ models: { encoded: encoded(stream, 'gzip', (text) => Buffer.from(text), 'length') } });
    expect(await ask('encoded-then-plain', stream)).toMatchObject({ status: 200 });
  });

  it('tells what an encoded error says', async () => {
    const error = gzipSync(JSON.stringify({ error: { message: 'Invalid value.', param: 'temperature' } }));
    vendor.control({ models: { encoded: { raw: { status: 400, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, framing: 'length', parts: [{ base64: error.toString('base64') }] } } } });
    const { status, text } = await ask('encoded-then-plain', stream);
    expect([status, text]).toEqual([400, expect.stringContaining('Invalid value.')]);
  });
});
