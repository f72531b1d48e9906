import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { AuthenticationError } from 'openai';
import { startCluster, type Cluster } from '../support/cluster.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Browsers call by the rules of CORS, and newcomers call addresses that are nearly right. */

const ORIGIN = 'https://app.example';

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: 2,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['10'],
    gatewayEnv: [{ CORS_ORIGINS: `${ORIGIN}, http://localhost:3000` }, {}],
  });
});
afterAll(async () => {
  await cluster?.expectSettled();
  await cluster?.stop();
  await vendor?.close();
});

/** Headers that a script may set and read without asking, by the Fetch standard. */
const safelisted = new Set(['accept', 'accept-language', 'content-language', 'cache-control', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma']);
const listOf = (value: string | null): string[] => (value ?? '').split(',').map((item) => item.trim().toLowerCase());

/** A fetch as a page of this origin has it: asks first where it must, and shows a script only what it may see. */
const fetchFrom =
  (origin: string, preflights: number[] = []): typeof fetch =>
  async (input, init) => {
    const url = String(input);
    const headers = new Headers(init?.headers);
    const unsafe = [...headers.keys()].filter((name) => !safelisted.has(name) || name === 'content-type').sort();
    const asked = await fetch(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': init?.method ?? 'GET', 'access-control-request-headers': unsafe.join(',') } });
    preflights.push(asked.status);
    const mayCall = asked.ok && asked.headers.get('access-control-allow-origin') === origin && listOf(asked.headers.get('access-control-allow-methods')).includes((init?.method ?? 'GET').toLowerCase());
    const allowed = listOf(asked.headers.get('access-control-allow-headers'));
    if (!mayCall || unsafe.some((name) => !allowed.includes(name))) throw new TypeError('Failed to fetch');
    headers.set('origin', origin);
    const answer = await fetch(url, { ...init, headers });
    if (answer.headers.get('access-control-allow-origin') !== origin) throw new TypeError('Failed to fetch');
    const exposed = listOf(answer.headers.get('access-control-expose-headers'));
    const seen = [...answer.headers].filter(([name]) => safelisted.has(name) || exposed.includes(name));
    return new Response(answer.body, { status: answer.status, headers: seen });
  };
const sdk = (origin: string, apiKey = cluster.apiKey, gateway = 0): OpenAI => new OpenAI({ baseURL: cluster.gatewayUrls[gateway]!, apiKey, maxRetries: 0, dangerouslyAllowBrowser: true, fetch: fetchFrom(origin) });
const ask = { model: 'mock', max_tokens: 5, messages: [{ role: 'user' as const, content: 'hello' }] };

describe('the official SDK in a page', () => {
  it('of an origin that is named gets answers, streams and what their headers say', async () => {
    const openai = sdk(ORIGIN);
    const { data, response } = await openai.chat.completions.create(ask).withResponse();
    expect(data.choices[0]!.message.content).toContain('time');
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('x-kilotoken-charge')).toMatch(/^0\.\d+$/);
    let text = '';
    for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true })) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toContain('time');
    expect((await openai.models.list()).data.map(({ id }) => id)).toEqual(['mock']);
  });

  it('raises its own error for a wrong key, not the browser’s', async () => {
    await expect(sdk(ORIGIN, 'kt_live_wrong').models.list()).rejects.toBeInstanceOf(AuthenticationError);
  });

  it('of another origin, or of a gateway that names none, gets nothing', async () => {
    await expect(sdk('https://other.example').models.list()).rejects.toThrow('Connection error');
    await expect(sdk(ORIGIN, cluster.apiKey, 1).models.list()).rejects.toThrow('Connection error');
  });
});

describe('addresses', () => {
  const origin = (): string => cluster.gateways[0]!.url;
  const errorAt = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${origin()}${path}`, { method, headers, ...(method === 'POST' ? { body: '{}' } : {}) });
    return { status: answer.status, type: answer.headers.get('content-type'), ...((await answer.json()) as { error: { message: string; type: string; param: string | null; code: string } }) };
  };

  it.each([
    ['POST', '/chat/completions', 'POST /v1/chat/completions'],
    ['POST', '/api/v1/chat/completions', 'POST /v1/chat/completions'],
    ['POST', '/openai/deployments/mock/chat/completions?api-version=2024-10-21', 'POST /v1/chat/completions'],
    ['GET', '/models', 'GET /v1/models'],
    ['GET', '/', '/v1'],
    ['POST', '/responses', 'POST /v1/chat/completions'],
  ])('outside of /v1, %s %s names the right one in OpenAI’s shape and needs no key', async (method, path, right) => {
    const { status, type, error } = await errorAt(method, path);
    expect([status, type]).toEqual([404, 'application/json; charset=utf-8']);
    expect(error).toMatchObject({ type: 'invalid_request_error', param: null, code: 'not_found' });
    expect(error.message).toContain(right);
    expect(error.message).toContain(`The base URL of this API is ${origin()}/v1`);
    expect(error.message).not.toContain('api-version');
  });

  it.each([
    ['POST', '/v1/v1/chat/completions', /Did you mean POST \/v1\/chat\/completions\?/],
    ['POST', '/v1/chat/completions/', /Did you mean POST \/v1\/chat\/completions\?/],
    ['POST', '/v1/responses', /not offered \(yet\)\. Use POST \/v1\/chat\/completions/],
    ['POST', '/v1/embeddings', /not offered \(yet\)/],
    ['POST', '/v1/messages', /not offered \(yet\)\. Use POST \/v1\/chat\/completions/],
  ])('under /v1, %s %s says what is right, to those who have a key', async (method, path, text) => {
    expect((await errorAt(method, path)).error.code).toBe('missing_api_key');
    const { status, error } = await errorAt(method, path, { authorization: `Bearer ${cluster.apiKey}` });
    expect([status, error.code]).toEqual([404, 'not_found']);
    expect(error.message).toMatch(text);
  });

  it.each(['/%', '/%zz/chat/completions', `/models/${'x'.repeat(5_000)}`])('one that is malformed or too long has the same shape: %.20s', async (path) => {
    const { status, error } = await errorAt('GET', path);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(error).toMatchObject({ type: 'invalid_request_error', code: expect.any(String) });
  });

  it('says that it lives, at both addresses where that is asked', async () => {
    for (const path of ['/health', '/healthz']) {
      const answer = await fetch(`${origin()}${path}`);
      expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }]);
      expect((await fetch(`${origin()}${path}`, { method: 'HEAD' })).status).toBe(200);
    }
  });
});
