import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { instruct, type VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** What real processes answer is what docs/openapi.json says of it: bodies, statuses, and headers that clients read. */

interface Response {
  headers?: Record<string, object>;
  content: Record<string, { schema: object }>;
}
const document = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8')) as {
  paths: Record<string, Record<string, { responses: Record<string, Response> }>>;
  components: { schemas: Record<string, object> };
};
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema({ $id: 'openapi', ...document });

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  const lanes = [{ baseUrl: vendor.baseUrl }];
  cluster = await startCluster({ models: [{ model: 'mock', lanes }, { model: 'dear', sale: { input: '1000000', output: '1000000' }, lanes }], grants: ['10'] });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

/** What a value has that its schema does not allow; nothing when they fit. */
const misfits = (reference: object, value: unknown): unknown[] => {
  const validate = ajv.compile({ $id: undefined, ...JSON.parse(JSON.stringify(reference).replaceAll('"#/', '"openapi#/')) as object });
  return validate(value) ? [] : (validate.errors ?? []);
};

interface Asked {
  path: string;
  /** As the document has it, where that differs. */
  described?: string;
  body?: object;
  headers?: Record<string, string>;
}

const ask = async ({ path, described = path, body, headers = {} }: Asked) => {
  const answer = await fetch(`${cluster.gateways[0]!.url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${cluster.apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const response = document.paths[described]![body ? 'post' : 'get']!.responses[answer.status];
  return { answer, response: response!, text: await answer.text() };
};

/** The headers of ours that an answer has, which the document must name. */
const ourHeaders = (answer: globalThis.Response): string[] => [...answer.headers.keys()].filter((name) => name.startsWith('x-') || name === 'retry-after').sort();

const chat = (script: VendorScript, more: object = {}): Asked => ({ path: '/v1/chat/completions', body: { model: 'mock', messages: [{ role: 'user', content: instruct(script) }], ...more } });

describe('an answer of a real gateway', () => {
  it.each<[string, number, () => Asked]>([
    ['a chat completion', 200, () => chat({ outputTokens: 3 }, { n: 2 })],
    ['one that the vendor gave no usage for', 200, () => chat({ outputTokens: 3, usage: 'omit' })],
    ['a legacy completion', 200, () => ({ path: '/v1/completions', body: { model: 'mock', prompt: ['a', 'b'], max_tokens: 3 } })],
    ['the models', 200, () => ({ path: '/v1/models' })],
    ['a model', 200, () => ({ path: '/v1/models/mock', described: '/v1/models/{id}' })],
    ['the credits', 200, () => ({ path: '/v1/credits' })],
    ['its health', 200, () => ({ path: '/healthz' })],
    ['its readiness', 200, () => ({ path: '/readyz' })],
    ['a refused parameter', 400, () => chat({}, { temprature: 1 })],
    ['a wrong key', 401, () => ({ path: '/v1/models', headers: { authorization: 'Bearer kt_live_nonsense' } })],
    ['want of money', 402, () => chat({}, { model: 'dear' })],
    ['a model that does not exist', 404, () => ({ path: '/v1/models/none', described: '/v1/models/{id}' })],
    ['a generation that does not exist', 404, () => ({ path: '/v1/generations/none', described: '/v1/generations/{id}' })],
    ['a failing vendor', 502, () => chat({ status: 500 })],
  ])('is described: %s', async (_, status, asked) => {
    const { answer, response, text } = await ask(asked());
    expect([answer.status, text.slice(0, 200)]).toEqual([status, expect.any(String)]);
    expect(misfits(response.content['application/json']!.schema, JSON.parse(text))).toEqual([]);
    expect(Object.keys(response.headers ?? {})).toEqual(expect.arrayContaining(ourHeaders(answer)));
  });

  it('is described: a stream, event by event', async () => {
    const { answer, response, text } = await ask(chat({ outputTokens: 3 }, { stream: true, stream_options: { include_usage: true } }));
    expect(Object.keys(response.content)).toContain(answer.headers.get('content-type')!.split(';')[0]);
    const events = text.split('\n\n').flatMap((event) => (event.startsWith('data: {') ? [JSON.parse(event.slice('data: '.length)) as object] : []));
    expect(events.length).toBeGreaterThan(3);
    for (const event of events) expect(misfits({ $ref: '#/components/schemas/ChatCompletionChunk' }, event)).toEqual([]);
  });

  it.each<[string, VendorScript]>([
    ['a generation that was completed', { outputTokens: 2 }],
    ['one that failed', { status: 500 }],
  ])('is described: %s', async (_, script) => {
    const { answer } = await ask(chat(script));
    const id = answer.headers.get('x-request-id')!;
    const { response, text } = await ask({ path: `/v1/generations/${id}`, described: '/v1/generations/{id}' });
    expect(misfits(response.content['application/json']!.schema, JSON.parse(text))).toEqual([]);
  });

  it('is described: a key that comes again', async () => {
    const again = { ...chat({ outputTokens: 2 }), headers: { 'idempotency-key': 'described' } };
    await ask(again);
    const { answer, response, text } = await ask(again);
    expect(answer.status).toBe(409);
    expect(misfits(response.content['application/json']!.schema, JSON.parse(text))).toEqual([]);
  });

  it('that is another than described is found', () => {
    const { schema } = document.paths['/v1/credits']!['get']!.responses['200']!.content['application/json']!;
    expect(misfits(schema, { object: 'list', data: [{ id: 1 }] })).not.toEqual([]);
  });
});
