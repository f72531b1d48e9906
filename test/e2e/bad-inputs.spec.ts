import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { startCluster, type Cluster } from '../support/cluster.js';
import { exchangeRaw, statusOf } from '../support/raw-http.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Bodies and amounts that nobody should send: a clear refusal with a stable code, nothing charged, nothing stored. */

const CONTEXT_WINDOW = 32_000;
const BODY_LIMIT_BYTES = 20 * 1024 * 1024;

let vendor: Vendor;
let cluster: Cluster;
let stored: Stored;

interface Stored {
  usage: string;
  open: string;
  quarantined: string;
  charged: string;
  served: number;
}

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    models: [
      { model: 'mock', contextWindow: CONTEXT_WINDOW, maxOutputTokens: 4_000, lanes: [{ baseUrl: vendor.baseUrl }] },
      { model: 'seeing', lanes: [{ baseUrl: vendor.baseUrl, capabilities: ['image_input', 'tools', 'logit_bias', 'best_of'] }] },
    ],
    grants: ['1000'],
    keys: [{}, { allowedModels: ['seeing'] }],
    env: { BODY_LIMIT_BYTES: String(BODY_LIMIT_BYTES) },
  });
});
beforeEach(async () => {
  stored = await readStored();
});
afterEach(async () => {
  expect(await readStored()).toEqual(stored);
});
afterAll(async () => {
  await cluster?.expectSettled();
  await cluster?.stop();
  await vendor?.close();
});

async function readStored(): Promise<Stored> {
  const [row] = await cluster.sql<Omit<Stored, 'served'>>(
    `SELECT (SELECT count(*) FROM usage) AS usage, (SELECT count(*) FROM open_request) AS open, (SELECT count(*) FROM usage_quarantine) AS quarantined,
      (SELECT coalesce(sum(charge), 0) FROM usage) AS charged`,
  );
  return { ...row!, served: vendor.log().length };
}

const messages = [{ role: 'user', content: 'hello' }];
const post = async (body: string | Buffer, headers: Record<string, string> = {}, path = '/chat/completions') => {
  const answer = await fetch(`${cluster.gatewayUrls[0]}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json', ...headers },
    body: body as string,
  });
  const text = await answer.text();
  return { status: answer.status, error: (JSON.parse(text) as { error: { code: string; message: string; type: string; param: string | null } }).error };
};
const chat = (changes: Record<string, unknown>) => post(JSON.stringify({ model: 'mock', messages, ...changes }));

describe('amounts and counts', () => {
  it.each<[string, string, string, string]>([
    ['n that overflows 64 bits', '"n": 18446744073686646784', 'n', 'invalid_type|integer_above_max_value'],
    ['n of 2⁵³ + 1', '"n": 9007199254740993', 'n', 'invalid_type|integer_above_max_value'],
    ['n of 2⁶³', '"n": 9223372036854775808', 'n', 'invalid_type|integer_above_max_value'],
    ['n of −1', '"n": -1', 'n', 'integer_below_min_value'],
    ['n of −0', '"n": -0', 'n', 'integer_below_min_value'],
    ['n of 1e308', '"n": 1e308', 'n', 'invalid_type|integer_above_max_value'],
    ['n of 1e309, which is infinite', '"n": 1e309', 'n', 'invalid_type|integer_above_max_value'],
    ['n of 0.1 + 0.2', '"n": 0.30000000000000004', 'n', 'invalid_type'],
    ['n as text', '"n": "NaN"', 'n', 'invalid_type'],
    ['n with a thousands separator', '"n": "1,000"', 'n', 'invalid_type'],
    ['max_tokens of 0', '"max_tokens": 0', 'max_tokens', 'integer_below_min_value'],
    ['negative max_tokens', '"max_tokens": -5', 'max_tokens', 'integer_below_min_value'],
    ['max_tokens as an array', '"max_tokens": [5]', 'max_tokens', 'invalid_type'],
    ['max_tokens with a fraction', '"max_tokens": 1.5', 'max_tokens', 'invalid_type'],
    ['max_tokens of 2⁵³ + 1', '"max_tokens": 9007199254740993', 'max_tokens', 'invalid_type|integer_above_max_value|output_ceiling_exceeded'],
    ['max_tokens beyond the model', '"max_tokens": 4001', 'max_tokens', 'output_ceiling_exceeded'],
    ['two limits that differ', '"max_tokens": 5, "max_completion_tokens": 6', 'max_tokens', 'conflicting_parameters'],
    ['temperature of 1e308', '"temperature": 1e308', 'temperature', 'decimal_above_max_value'],
    ['temperature of −0.1', '"temperature": -0.1', 'temperature', 'decimal_below_min_value'],
    ['temperature as text', '"temperature": "1"', 'temperature', 'invalid_type'],
    ['seed of 2⁶³', '"seed": 9223372036854775808', 'seed', 'invalid_type|integer_above_max_value'],
    ['NaN, which is no JSON', '"n": NaN', '', 'invalid_json'],
  ])('%s is refused by name', async (_, member, param, codes) => {
    const { status, error } = await post(`{"model": "mock", "messages": [{"role": "user", "content": "x"}], ${member}}`);
    expect([status, error.type]).toEqual([400, 'invalid_request_error']);
    expect(codes.split('|')).toContain(error.code);
    expect(error.param ?? '').toBe(param);
  });
});

describe('chat bodies', () => {
  const image = (url: string) => ({ model: 'seeing', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] });
  const privateUrls = ['http://127.0.0.1/a.png', 'http://0.0.0.0/a.png', 'http://[::ffff:127.0.0.1]/a.png', 'http://169.254.169.254/latest/meta-data', 'http://10.1.2.3/', 'http://localhost/', 'http://2130706433/', 'http://0x7f.1/', 'file:///etc/passwd', 'http://user@example.com/a.png', 'gopher://example.com/'];

  it.each<[string, Record<string, unknown>, number, string]>([
    ['no messages', { messages: undefined }, 400, 'missing_required_parameter'],
    ['an empty list of messages', { messages: [] }, 400, 'empty_array'],
    ['10,000 messages', { messages: Array.from({ length: 10_000 }, () => messages[0]) }, 400, 'array_above_max_length'],
    ['messages as an object', { messages: { role: 'user', content: 'x' } }, 400, 'invalid_type'],
    ['an unknown role', { messages: [{ role: 'root', content: 'x' }] }, 400, 'invalid_value'],
    ['content of a wrong type', { messages: [{ role: 'user', content: 7 }] }, 400, 'invalid_type'],
    ['content that is null', { messages: [{ role: 'user', content: null }] }, 400, 'invalid_type'],
    ['a part of an unknown type', { messages: [{ role: 'user', content: [{ type: 'video', video: 'x' }] }] }, 400, 'invalid_value'],
    ['an address inside a message', { messages: [{ role: 'user', content: 'x', api_base: 'http://elsewhere' }] }, 400, 'unknown_parameter'],
    ['a message with its content under another name', { messages: [{ role: 'user', contents: 'x' }] }, 400, 'missing_required_parameter'],
    ...privateUrls.map((url): [string, Record<string, unknown>, number, string] => [`an image at ${url}`, image(url), 400, 'invalid_image_url']),
    ['a tool schema of 1 MB where tools are not sold', { tools: [{ type: 'function', function: { name: 'f', parameters: { description: 'x'.repeat(1_000_000) } } }] }, 400, 'unsupported_parameter'],
    ['stream_options without stream', { stream_options: { include_usage: true } }, 400, 'conflicting_parameters'],
    ['stream as text', { stream: 'true' }, 400, 'invalid_type'],
    ['an unknown model', { model: 'gpt-none' }, 404, 'model_not_found'],
    ['a model that is no text', { model: { $ne: '' } }, 400, 'invalid_type'],
    ['no model', { model: undefined }, 400, 'missing_required_parameter'],
    ['logit_bias of 10⁶ entries', { model: 'seeing', logit_bias: Object.fromEntries(Array.from({ length: 1_000_000 }, (_, token) => [token, 1])) }, 400, 'body_too_complex'],
    ['logit_bias of 10⁴ entries', { model: 'seeing', logit_bias: Object.fromEntries(Array.from({ length: 10_000 }, (_, token) => [token, 1])) }, 400, 'object_above_max_properties'],
    ['n × max_tokens over the ceiling', { model: 'seeing', n: 128, max_tokens: 8_192 }, 400, 'output_ceiling_exceeded'],
    ['a user of 10 KB', { user: 'u'.repeat(10_240) }, 400, 'string_above_max_length'],
    ['17 entries of metadata', { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])) }, 400, 'object_above_max_properties'],
    ['metadata that is no text', { metadata: { a: 1 } }, 400, 'invalid_type'],
    ['an extra organizationId', { organizationId: 'b2c5a4de-0000-4000-8000-000000000000' }, 400, 'unknown_parameter'],
    ['an api_base', { api_base: 'http://169.254.169.254' }, 400, 'unknown_parameter'],
    ['a nested extra_body.api_base', { extra_body: { api_base: 'http://169.254.169.254' } }, 400, 'unknown_parameter'],
    ['extra_headers', { extra_headers: { 'x-a': 'b\r\nhost: elsewhere' } }, 400, 'unknown_parameter'],
    ['a parameter of legacy completions', { best_of: 2 }, 400, 'unknown_parameter'],
  ])('%s is refused', async (_, changes, status, code) => {
    const answer = await chat(changes);
    expect([answer.status, answer.error.code]).toEqual([status, code]);
    expect(answer.error.message.length).toBeLessThan(600);
  });

  it('a model that the key may not use is refused', async () => {
    const { status, error } = await post(JSON.stringify({ model: 'mock', messages }), { authorization: `Bearer ${cluster.tenant.keys[1]!.key}` });
    expect([status, error.code]).toEqual([403, 'model_not_allowed']);
  });

  it('a prompt of token ids is refused on legacy completions', async () => {
    const { status, error } = await post(JSON.stringify({ model: 'mock', prompt: [1, 2, 3] }), {}, '/completions');
    expect([status, error.code]).toEqual([400, 'token_prompt_unsupported']);
  });
});

describe('bodies as bytes', () => {
  it.each<[string, string | Buffer, Record<string, string>, number, string]>([
    ['an empty body', '', {}, 400, 'empty_body'],
    ['JSON that is cut off', '{"model": "mock", "messages": [', {}, 400, 'invalid_json'],
    ['a byte order mark', `\ufeff${JSON.stringify({ model: 'mock', messages })}`, {}, 400, 'invalid_encoding'],
    ['UTF-16', Buffer.from(JSON.stringify({ model: 'mock', messages }), 'utf16le'), {}, 400, 'invalid_encoding|invalid_json'],
    ['half a surrogate pair', '{"model": "mock", "messages": [{"role": "user", "content": "\\ud800"}]}', {}, 400, 'invalid_encoding'],
    ['a byte that is no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), {}, 400, 'invalid_encoding'],
    ['__proto__', '{"model": "mock", "__proto__": {"n": 5}, "messages": []}', {}, 400, 'forbidden_key'],
    ['constructor.prototype', '{"model": "mock", "constructor": {"prototype": {}}, "messages": []}', {}, 400, 'forbidden_key'],
    ['a key twice', '{"model": "mock", "model": "seeing", "messages": []}', {}, 400, 'duplicate_key'],
    ['nesting of 10⁵', `{"messages": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`, {}, 400, 'nesting_too_deep'],
    ['an array instead of an object', '[]', {}, 400, 'invalid_type'],
    ['a number', '5', {}, 400, 'invalid_type'],
    ['a type with a parameter after a tab', JSON.stringify({ model: 'mock', messages }), { 'content-type': 'application/json\ta' }, 415, 'unsupported_media_type'],
    ['no JSON type', JSON.stringify({ model: 'mock', messages }), { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['another charset', JSON.stringify({ model: 'mock', messages }), { 'content-type': 'application/json; charset=utf-7' }, 415, 'unsupported_media_type'],
    ['a gzip bomb', gzipSync(Buffer.alloc(50 * 1024 * 1024)), { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['spaces up to the limit', Buffer.alloc(BODY_LIMIT_BYTES, 0x20), {}, 400, 'invalid_json'],
  ])('%s is refused', async (_, body, headers, status, codes) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    expect(codes.split('|')).toContain(answer.error.code);
  });
});

describe('HTTP', () => {
  const raw = (lines: string[], body = ''): Promise<string> => exchangeRaw(cluster.gateways[0]!.port, `${[...lines, '', ''].join('\r\n')}${body}`);
  const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: gateway', 'Content-Type: application/json', 'Connection: close'];
  const key = (): string => `Authorization: Bearer ${cluster.apiKey}`;
  const body = JSON.stringify({ model: 'mock', messages });

  it.each<[string, string[]]>([
    ['Content-Length with Transfer-Encoding', [`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked']],
    ['two Content-Lengths', [`Content-Length: ${body.length}`, 'Content-Length: 5']],
    ['a Content-Length that is no number', ['Content-Length: 0x10']],
    ['a header with a NUL', [`Content-Length: ${body.length}`, 'X-A: a\0b']],
    ['a header with a bare line feed', [`Content-Length: ${body.length}`, 'X-A: a\nX-B: b\rX-C: c']],
  ])('with %s is refused', async (_, lines) => {
    expect(statusOf(await raw([...head, key(), ...lines], body))).toBe(400);
  });

  it('with a body of one byte over the limit is refused before it is read', async () => {
    const answer = await raw([...head, key(), `Content-Length: ${BODY_LIMIT_BYTES + 1}`], '{');
    expect([statusOf(answer), answer.includes('body_too_large')]).toEqual([413, true]);
  });

  it('with headers beyond what is read is refused', async () => {
    expect(statusOf(await raw([...head, key(), `X-A: ${'a'.repeat(20_000)}`, 'Content-Length: 0']))).toBe(431);
  });

  it('with a leading space in the type is checked all the same', async () => {
    const bad = '{"model": "mock"}';
    const answer = await raw(['POST /v1/chat/completions HTTP/1.1', 'Host: gateway', 'Content-Type:   application/json', 'Connection: close', key(), `Content-Length: ${bad.length}`], bad);
    expect([statusOf(answer), answer.includes('missing_required_parameter')]).toEqual([400, true]);
  });

  it.each(['/v1/models', '/v1/models/', '/v1/%6dodels', '/v1/x/..%2fmodels', '/v1/./models', '/%76%31/models', '//v1/models', '/v1//models', '/V1/models', '/v1/models?api_key=KEY', '/v1/models;x', '/v1/..%2e/models', '/v1%2fmodels'])(
    'at %s shows nothing without a key, whatever the method, Host or forwarding headers',
    async (path) => {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'QUERY']) {
        const answer = await raw([`${method} ${path.replace('KEY', cluster.apiKey)} HTTP/1.1`, 'Host: 127.0.0.1:8081', 'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Host: localhost', 'X-Original-URL: /healthz', 'Content-Length: 0', 'Connection: close']);
        expect(answer).not.toContain('"object":"list"');
        expect([400, 401, 404, 405]).toContain(statusOf(answer));
      }
    },
  );

  it('answers HEAD as GET, without a body', async () => {
    const answer = await raw(['HEAD /v1/models HTTP/1.1', 'Host: gateway', 'Connection: close', key()]);
    expect(statusOf(answer)).toBe(200);
    expect(answer.split('\r\n\r\n')[1]).toBe('');
  });
});

describe('keys', () => {
  const withKey = (authorization: string): Promise<{ status: number; error: { code: string } }> => post(JSON.stringify({ model: 'mock', messages }), { authorization });

  it.each<[string, () => string]>([
    ['SQL', () => "Bearer ' OR 1=1--"],
    ['the right first 20 characters and a wrong rest', () => `Bearer ${cluster.apiKey.slice(0, 20)}${'0'.repeat(cluster.apiKey.length - 20)}`],
    ['one character less', () => `Bearer ${cluster.apiKey.slice(0, -1)}`],
    ['a character more', () => `Bearer ${cluster.apiKey}x`],
    ['non-ASCII characters', () => `Bearer kt_live_é${cluster.apiKey.slice(9)}`],
    ['10 KB', () => `Bearer kt_live_${'a'.repeat(10_000)}`],
    ['another scheme', () => `Basic ${cluster.apiKey}`],
    ['nothing', () => 'Bearer '],
    ['two keys', () => `Bearer ${cluster.apiKey}, Bearer ${cluster.apiKey}`],
  ])('of %s is refused', async (_, authorization) => {
    const { status, error } = await withKey(authorization());
    expect([status, error.code]).toEqual([401, 'invalid_api_key']);
  });

  it('in two Authorization headers is refused, both being right', async () => {
    const answer = await exchangeRaw(
      cluster.gateways[0]!.port,
      ['GET /v1/models HTTP/1.1', 'Host: gateway', 'Connection: close', `Authorization: Bearer ${cluster.apiKey}`, `authorization: Bearer ${cluster.apiKey}`, '', ''].join('\r\n'),
    );
    expect([statusOf(answer), answer.includes('invalid_api_key')]).toEqual([401, true]);
  });

  it.each(['?api_key=KEY', '?key=KEY', '?access_token=KEY'])('in the query (%s) is none', async (query) => {
    const answer = await fetch(`${cluster.gatewayUrls[0]}/models${query.replace('KEY', cluster.apiKey)}`);
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('missing_api_key')]);
  });
});

describe('after all of it', () => {
  it('the gateway answers, and no log holds a key', async () => {
    const answer = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'mock', messages }) });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
    expect(cluster.logs()).not.toContain(cluster.apiKey);
    stored = await readStored();
  });
});
