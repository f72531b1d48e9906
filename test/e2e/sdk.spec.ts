import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError } from 'openai';
import { z } from 'zod';
import { collect } from '../support/collect.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale as cost, seedKey, seedOrganization } from '../support/cluster-seed.js';
import { withOwner } from '../support/invariants.js';
import { shortestMs } from '../support/rounds.js';
import { until } from '../support/until.js';
import { countPromptTokens } from '../support/vendor-answer.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import { instruct, type VendorScript } from '../support/vendor-script.js';

/** The official SDK against real processes: what a customer's program sees when it changes nothing but the base URL. */

interface Credits {
  object: 'list';
  data: { id: string; source: string; unit: string; granted: string; available: string; held: string; used: string; expires_at: string | null }[];
}

const REVOKED_MS_MAX = 1_500;
const REVOKED_ROUNDS = 4;

let vendor: Vendor;
let cluster: Cluster;
let openai: OpenAI;

beforeAll(async () => {
  vendor = await startVendor({ key: 'vendor-secret' });
  const lane = { baseUrl: vendor.baseUrl, keyEnv: 'VENDOR_KEY' };
  cluster = await startCluster({
    models: [
      { model: 'mock', lanes: [lane] },
      { model: 'vendor/second:v1', sale: { input: '2.5', output: '10', cached_read: '1.25' }, lanes: [{ ...lane, tokenClasses: ['input', 'output', 'cached_read'] }] },
      { model: 'unpriced', sale: { input: '1', output: null }, lanes: [lane] },
    ],
    grants: ['10'],
    keys: [{}, { revoked: true }, { expiresInMs: -1_000 }, { allowedModels: ['vendor/second:v1'] }],
    env: { VENDOR_KEY: 'vendor-secret' },
  });
  openai = new OpenAI({ baseURL: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, maxRetries: 0 });
});

afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const user = (script: VendorScript) => [{ role: 'user' as const, content: instruct(script) }];
/** The exact charge. */
const costOf = (usage: unknown): string => (usage as { kilotoken: { charges: { amount: string }[] } }).kilotoken.charges[0]!.amount;
const get = async <Body>(path: string, key = cluster.apiKey): Promise<Body> =>
  (await fetch(`${cluster.gatewayUrls[0]}${path}`, { headers: { authorization: `Bearer ${key}` } })).json() as Promise<Body>;
const credits = async (): Promise<Credits['data'][0]> => (await get<Credits>('/credits')).data[0]!;
const failureOf = async (request: PromiseLike<unknown>): Promise<APIError> => {
  try {
    await request;
  } catch (error) {
    if (error instanceof APIError) return error;
    throw error;
  }
  throw new Error('it was to fail and did not');
};

describe('a JSON answer', () => {
  it('has its exact cost in the body, and hold, charge and balance in its headers', async () => {
    const before = await credits();
    const script = { outputTokens: 7 };
    const { data, response } = await openai.chat.completions.create({ model: 'mock', messages: user(script), max_tokens: 50 }).withResponse();
    const prompt = countPromptTokens(instruct(script));
    expect(data.choices[0]!.message.content).toBe(' time year people way day man thing');
    expect(data.usage).toMatchObject({ prompt_tokens: prompt, completion_tokens: 7, total_tokens: prompt + 7, cost: Number(cost(prompt, 7)), cost_currency: 'USD' });
    const header = (name: string): string => response.headers.get(name)!;
    expect(header('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(header('x-kilotoken-charge')).toBe(cost(prompt, 7));
    expect(parseMoney(header('x-kilotoken-hold'))).toBeGreaterThanOrEqual(parseMoney(cost(prompt, 50)));
    expect(header('x-kilotoken-balance')).toBe(formatMoney(parseMoney(before.granted) - parseMoney(before.used) - parseMoney(cost(prompt, 7))));
  });

  it('is charged once for all choices of n', async () => {
    const script = { outputTokens: 3 };
    const answer = await openai.chat.completions.create({ model: 'mock', messages: user(script), n: 2, max_tokens: 5 });
    expect(answer.choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([[0, 'stop'], [1, 'stop']]);
    expect(answer.usage!.completion_tokens).toBe(6);
    expect(costOf(answer.usage)).toBe(cost(countPromptTokens(instruct(script)), 6));
  });

  it('ends where max_tokens says', async () => {
    const answer = await openai.chat.completions.create({ model: 'mock', messages: user({ outputTokens: 30 }), max_completion_tokens: 4 });
    expect(answer.choices[0]!.finish_reason).toBe('length');
    expect(answer.usage!.completion_tokens).toBe(4);
  });

  it('comes from legacy completions too, for several prompts', async () => {
    const answer = await openai.completions.create({ model: 'mock', prompt: ['first', 'second'], max_tokens: 4, n: 1 });
    const prompt = countPromptTokens('first') + countPromptTokens('second');
    expect(answer.object).toBe('text_completion');
    expect(answer.choices.map(({ text }) => text)).toEqual([' time year people way', ' time year people way']);
    expect(answer.usage).toMatchObject({ prompt_tokens: prompt, completion_tokens: 8, cost: Number(cost(prompt, 8)) });
  });

  it('prices cached reads apart, and never twice', async () => {
    const script = { promptTokens: 100, cachedTokens: 60, outputTokens: 10 };
    const answer = await openai.chat.completions.create({ model: 'vendor/second:v1', messages: user(script) });
    // 40 × 2.5 + 60 × 1.25 + 10 × 10, by the million
    expect(costOf(answer.usage)).toBe('0.000275');
  });
});

describe("a client of OpenRouter's", () => {
  /** The fields that @openrouter/ai-sdk-provider checks, as it checks them. */
  const openRouterUsage = z.looseObject({
    prompt_tokens: z.number(),
    prompt_tokens_details: z.looseObject({ cached_tokens: z.number(), cache_write_tokens: z.number().nullish() }).nullish(),
    completion_tokens: z.number(),
    completion_tokens_details: z.looseObject({ reasoning_tokens: z.number() }).nullish(),
    total_tokens: z.number(),
    cost: z.number(),
    cost_details: z.looseObject({ upstream_inference_cost: z.number().nullish() }).nullish(),
  });

  it('reads the cost as a number, in JSON and in a stream', async () => {
    const script = { promptTokens: 100, cachedTokens: 60, outputTokens: 10 };
    const asked = { model: 'vendor/second:v1', messages: user(script) };
    const answer = await openai.chat.completions.create(asked);
    const chunks = await collect(await openai.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } }));
    for (const usage of [answer.usage, chunks.at(-1)!.usage]) {
      expect(openRouterUsage.parse(usage)).toMatchObject({ cost: 0.000275, prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 60 } });
    }
  });
});

describe('a stream', () => {
  it('carries text, then usage with its exact cost, then [DONE]', async () => {
    const script = { outputTokens: 6 };
    const { data, response } = await openai.chat.completions
      .create({ model: 'mock', messages: user(script), stream: true, stream_options: { include_usage: true } })
      .withResponse();
    const chunks = await collect(data);
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    const prompt = countPromptTokens(instruct(script));
    expect(text).toBe(' time year people way day man');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: 6, cost: Number(cost(prompt, 6)), cost_currency: 'USD', kilotoken: { charges: [{ unit: 'USD', amount: cost(prompt, 6) }] } } });
    expect(chunks.filter(({ usage }) => usage)).toHaveLength(1);
    expect(chunks.flatMap(({ choices }) => choices.flatMap(({ finish_reason }) => finish_reason ?? []))).toEqual(['stop']);
    expect(response.headers.get('x-kilotoken-hold')).toMatch(/^\d+(\.\d{1,12})?$/);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
  });

  it('has no usage where none was asked for, and is billed all the same', async () => {
    const before = await credits();
    const script = { outputTokens: 2 };
    const chunks = await collect(await openai.chat.completions.create({ model: 'mock', messages: user(script), stream: true }));
    expect(chunks.every(({ usage, choices }) => !usage && choices.length === 1)).toBe(true);
    expect(parseMoney((await credits()).used) - parseMoney(before.used)).toBe(parseMoney(cost(countPromptTokens(instruct(script)), 2)));
  });

  it('comes from legacy completions too', async () => {
    const chunks = await collect(
      await openai.completions.create({ model: 'mock', prompt: 'once', max_tokens: 3, stream: true, stream_options: { include_usage: true } }),
    );
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe(' time year people');
    expect(costOf(chunks.at(-1)!.usage)).toBe(cost(1, 3));
  });

  it('interleaves the choices of n and ends each', async () => {
    const chunks = await collect(
      await openai.chat.completions.create({ model: 'mock', messages: user({ outputTokens: 2 }), n: 3, stream: true, stream_options: { include_usage: true } }),
    );
    expect(chunks.flatMap(({ choices }) => choices.flatMap(({ index, finish_reason }) => (finish_reason ? [index] : []))).sort()).toEqual([0, 1, 2]);
    expect(chunks.at(-1)!.usage!.completion_tokens).toBe(6);
  });
});

describe('what a customer can look up', () => {
  it('lists the models with their prices', async () => {
    const models = new Map((await collect(openai.models.list())).map((model) => [model.id, model]));
    expect([...models.keys()]).toEqual(expect.arrayContaining(['mock', 'vendor/second:v1']));
    expect(models.get('mock')).toMatchObject({ object: 'model' });
    const text = JSON.stringify(models.get('vendor/second:v1'));
    expect(text).toContain('"1.25"');
    expect(text).toContain('"2.5"');
    expect(text).not.toContain(vendor.baseUrl);
    expect(await openai.models.retrieve('mock')).toMatchObject({ id: 'mock', object: 'model' });
  });

  it('shows in credits what an answer cost as soon as it has ended', async () => {
    const before = await credits();
    const answer = await openai.chat.completions.create({ model: 'mock', messages: user({ outputTokens: 9 }) });
    const after = await credits();
    expect(after).toMatchObject({ source: 'prepaid', unit: 'USD', granted: '10', held: '0', expires_at: null });
    expect(parseMoney(after.used)).toBe(parseMoney(before.used) + parseMoney(costOf(answer.usage)));
    expect(parseMoney(after.available)).toBe(parseMoney('10') - parseMoney(after.used));
  });

  it('explains every line of what a generation cost', async () => {
    const script = { outputTokens: 8 };
    const { data, request_id } = await openai.chat.completions
      .create({ model: 'mock', messages: user(script), user: 'end-user-7', metadata: { team: 'blue' } })
      .withResponse();
    const generation = await get<Record<string, unknown>>(`/generations/${request_id}`);
    expect(Object.keys(generation)).toEqual(
      expect.arrayContaining(['id', 'model', 'status', 'usage', 'estimated', 'cost', 'cost_currency', 'charges', 'lines', 'allocations', 'attempts', 'times']),
    );
    expect(generation).toMatchObject({ id: request_id, model: 'mock', estimated: false, cost: costOf(data.usage), cost_currency: 'USD', charges: [{ unit: 'USD', amount: costOf(data.usage) }] });
    const sum = (parts: unknown, name: string): bigint => (parts as Record<string, string>[]).reduce((total, part) => total + parseMoney(part[name]!), 0n);
    expect(generation['lines']).toHaveLength(2);
    expect(sum(generation['allocations'], 'amount')).toBe(parseMoney(costOf(data.usage)));
    expect(generation['attempts']).toHaveLength(1);
    expect(await get(`/generations/${data.id}`)).toEqual(generation);
    const [row] = await cluster.sql<{ end_user: string; tags: object }>('SELECT end_user, tags FROM usage WHERE id = $1', [request_id]);
    expect(row).toEqual({ end_user: 'end-user-7', tags: { team: 'blue' } });
  });

  it('finds a generation by the id of its answer: of a stream, and of a legacy completion', async () => {
    const [chunk] = await collect(await openai.chat.completions.create({ model: 'mock', messages: user({ outputTokens: 3 }), stream: true }));
    const { data, request_id } = await openai.completions.create({ model: 'mock', prompt: 'once', max_tokens: 3 }).withResponse();
    expect(await get(`/generations/${chunk!.id}`)).toMatchObject({ id: chunk!.id.replace('chatcmpl-', ''), model: 'mock' });
    expect(data.id).toBe(`cmpl-${request_id}`);
    expect(await get(`/generations/${data.id}`)).toMatchObject({ id: request_id, model: 'mock' });
  });

  it("keeps another organization's generation and credits to itself", async () => {
    const { request_id } = await openai.chat.completions.create({ model: 'mock', messages: user({}) }).withResponse();
    const other = await withOwner(cluster.ownerUrl, async (owner) => {
      const { rows } = await owner.query('SELECT price_book_id FROM organization');
      return seedOrganization(owner, rows[0].price_book_id, { grants: ['3'] });
    });
    const stranger = openai.withOptions({ apiKey: other.keys[0]!.key });
    expect(await failureOf(stranger.get(`/generations/${request_id}`))).toBeInstanceOf(NotFoundError);
    expect((await get<Credits>('/credits', other.keys[0]!.key)).data.map(({ granted }) => granted)).toEqual(['3']);
  });
});

describe('the exception of a refusal', () => {
  const chat = (more: object, client = openai) => client.chat.completions.create({ model: 'mock', messages: user({}), ...more });

  it.each<[string, () => PromiseLike<unknown>, new (...parameters: never[]) => APIError, number, string]>([
    ['no such key', () => chat({}, openai.withOptions({ apiKey: 'kt_live_nonsense' })), AuthenticationError, 401, 'invalid_api_key'],
    ['a revoked key', () => chat({}, openai.withOptions({ apiKey: cluster.tenant.keys[1]!.key })), AuthenticationError, 401, 'invalid_api_key'],
    ['an expired key', () => chat({}, openai.withOptions({ apiKey: cluster.tenant.keys[2]!.key })), AuthenticationError, 401, 'expired_api_key'],
    ['a model that the key may not use', () => chat({}, openai.withOptions({ apiKey: cluster.tenant.keys[3]!.key })), PermissionDeniedError, 403, 'model_not_allowed'],
    ['an unknown model', () => chat({ model: 'gpt-none' }), NotFoundError, 404, 'model_not_found'],
    ['an unknown parameter', () => chat({ temprature: 1 }), BadRequestError, 400, 'unknown_parameter'],
    ['a parameter that no lane honours', () => chat({ response_format: { type: 'json_object' } }), BadRequestError, 400, 'unsupported_parameter'],
    ['a model without a price', () => chat({ model: 'unpriced' }), BadRequestError, 400, 'price_unavailable'],
    ['an unknown path', () => openai.get('/embeddings'), NotFoundError, 404, 'not_found'],
    ['an unknown generation', () => openai.get('/generations/01970000-0000-7000-8000-000000000000'), NotFoundError, 404, 'not_found'],
    ['a path that has another method', () => openai.get('/chat/completions'), APIError, 405, 'method_not_allowed'],
  ])('for %s is the SDK’s own', async (_, request, kind, status, code) => {
    const failure = await failureOf(request());
    expect(failure).toBeInstanceOf(kind);
    expect(failure).toMatchObject({ status, code, type: expect.any(String) });
    expect(failure.message.length).toBeGreaterThan(10);
  });

  it('for no funds is 402 insufficient_quota, which no SDK retries', async () => {
    const poor = await withOwner(cluster.ownerUrl, async (owner) => {
      const { rows } = await owner.query('SELECT price_book_id FROM organization');
      return seedOrganization(owner, rows[0].price_book_id, { grants: ['0.000001'] });
    });
    const served = vendor.log().length;
    const failure = await failureOf(chat({}, openai.withOptions({ apiKey: poor.keys[0]!.key, maxRetries: 2 })));
    expect(failure).toMatchObject({ status: 402, code: 'insufficient_quota', type: 'insufficient_quota' });
    expect(failure.constructor).toBe(APIError);
    expect(failure.headers!.get('x-should-retry')).toBe('false');
    expect(vendor.log()).toHaveLength(served);
  });

  it('needs a key on every path under /v1, and says nothing about which exist', async () => {
    for (const path of ['/models', '/credits', '/generations/x', '/nothing', '/chat/completions']) {
      const answer = await fetch(`${cluster.gatewayUrls[0]}${path}`);
      expect([path, answer.status]).toEqual([path, 401]);
      expect(await answer.json()).toMatchObject({ error: { code: 'missing_api_key' } });
    }
  });

  it('comes for a revoked key within a second of its revocation', async () => {
    const untilRevoked = async (): Promise<number> => {
      const { id, key } = await withOwner(cluster.ownerUrl, (owner) => seedKey(owner, cluster.tenant));
      await expect(chat({}, openai.withOptions({ apiKey: key }))).resolves.toBeDefined();
      await cluster.sql('UPDATE api_key SET revoked_at = kt_now() WHERE id = $1', [id]);
      const revokedAt = performance.now();
      const failure = await until('the key is refused', () => chat({}, openai.withOptions({ apiKey: key })).then(() => undefined, (error: unknown) => error));
      expect(failure).toBeInstanceOf(AuthenticationError);
      return performance.now() - revokedAt;
    };
    expect(await shortestMs(REVOKED_ROUNDS, untilRevoked)).toBeLessThan(REVOKED_MS_MAX);
  });
});

describe('behind it all', () => {
  it('the vendor was sent nothing that is not its business, and every invariant holds', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled();
  });
});
