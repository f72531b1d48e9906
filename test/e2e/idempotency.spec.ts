import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI, { ConflictError } from 'openai';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale, seedOrganization } from '../support/cluster-seed.js';
import { withOwner } from '../support/invariants.js';
import { seedBuyer, seedLimit } from '../support/limits.js';
import { exchangeRaw, statusOf } from '../support/raw-http.js';
import { itNeeds, pythonPath } from '../support/requirements.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { countPromptTokens } from '../support/vendor-answer.js';
import { instruct, type VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** One key, one answer, one charge: at any gateway, whatever got lost. And what happens without a key. */

const PYTHON_PROGRAM = fileURLToPath(new URL('idempotency.py', import.meta.url));
const PROGRAM_MS_MAX = 120_000;

interface Generation {
  id: string | null;
  object: 'generation';
  status: 'running' | 'completed' | 'failed';
  cost: string | null;
  cost_currency: string | null;
}
interface Said {
  error?: { code: string; param: string | null; message: string; generation?: Generation };
  usage?: { kilotoken: { charges: { amount: string }[] } };
}

let vendor: Vendor;
let cluster: Cluster;
/** Between a client and the first gateway. */
let wire: TcpProxy;

beforeAll(async () => {
  vendor = await startVendor();
  const lanes = [{ baseUrl: vendor.baseUrl }];
  cluster = await startCluster({ gateways: 2, models: [{ model: 'mock', lanes }, { model: 'dear', sale: { input: '1000000', output: '1000000' }, lanes }], grants: ['10'] });
  const { hostname, port } = new URL(cluster.gatewayUrls[0]!);
  wire = await startTcpProxy({ host: hostname, port: Number(port) });
});
afterAll(async () => {
  await cluster?.expectSettled();
  await wire?.close();
  await cluster?.stop();
  await vendor?.close();
});

interface Asked {
  key?: string;
  script?: VendorScript;
  gateway?: number;
  apiKey?: string;
  more?: Record<string, unknown>;
  path?: string;
  signal?: AbortSignal;
}

const ask = async ({ key, script = {}, gateway = 0, apiKey = cluster.apiKey, more = {}, path = '/chat/completions', signal }: Asked) => {
  const answer = await fetch(`${cluster.gatewayUrls[gateway]}${path}`, {
    method: 'POST',
    ...(signal && { signal }),
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: instruct(script) }], ...more }),
  });
  const text = await answer.text();
  const { headers, status } = answer;
  const said = headers.get('content-type')!.includes('json') ? (JSON.parse(text) as Said) : {};
  return { status, requestId: headers.get('x-request-id'), retry: headers.get('x-should-retry'), charge: headers.get('x-kilotoken-charge'), text, ...said };
};

/** A label and a key of a test's own. */
const mint = (): { key: string; label: string } => ({ key: randomUUID(), label: randomUUID() });
const served = (label: string) => vendor.log().filter((entry) => entry.label === label);
const charged = async (label: string): Promise<number> => {
  const ids = served(label).map(({ id }) => id);
  return (await cluster.sql('SELECT 1 FROM usage WHERE upstream_id = ANY ($1) AND charge > 0', [ids])).length;
};

/** The API key of an organization of a test's own. */
const keyOfAnother = async (grant: string): Promise<string> => {
  const [book] = await cluster.sql<{ id: string }>('SELECT id FROM price_book');
  const { keys } = await withOwner(cluster.ownerUrl, (owner) => seedOrganization(owner, book!.id, { grants: [grant] }));
  return keys[0]!.key;
};

describe('a key that comes again', () => {
  it.each([
    ['the same gateway', 0],
    ['another one', 1],
  ])('is refused by %s with the generation and its charge: nothing is served or charged again', async (_, gateway) => {
    const { key, label } = mint();
    const first = await ask({ key, script: { label, outputTokens: 3 } });
    expect(first).toMatchObject({ status: 200, charge: first.usage!.kilotoken.charges[0]!.amount });
    const second = await ask({ key, script: { label, outputTokens: 3 }, gateway });
    expect(second).toMatchObject({ status: 409, retry: 'false', charge: null, error: { code: 'idempotency_conflict', param: 'Idempotency-Key' } });
    expect(second.error!.generation).toEqual({ id: first.requestId, object: 'generation', status: 'completed', cost: first.charge, cost_currency: 'USD' });
    expect(second.requestId).not.toBe(first.requestId);
    expect([served(label).length, await charged(label)]).toEqual([1, 1]);
  });

  it('is refused after a stream as after a JSON answer', async () => {
    const { key, label } = mint();
    const asked = { key, script: { label, outputTokens: 3 }, more: { stream: true } };
    const first = await ask(asked);
    expect(first.text).toContain('[DONE]');
    const { error } = await ask({ ...asked, gateway: 1 });
    const cost = defaultSale(countPromptTokens(instruct(asked.script)), 3);
    expect(error!.generation).toEqual({ id: first.requestId, object: 'generation', status: 'completed', cost, cost_currency: 'USD' });
    expect(served(label)).toHaveLength(1);
  });

  it('is refused while the first request runs, whose charge is not known yet', async () => {
    const { key, label } = mint();
    const asked = { key, script: { label, outputTokens: 40, waitAfterChunks: 20 }, more: { stream: true } };
    const first = ask(asked);
    await until('the first runs', () => vendor.waiting() === 1);
    const second = await ask({ ...asked, gateway: 1 });
    expect(second).toMatchObject({ status: 409, retry: 'false', error: { code: 'idempotency_conflict', generation: { status: 'running', cost: null, cost_currency: null } } });
    vendor.letGo();
    expect(second.error!.generation!.id).toBe((await first).requestId);
    expect((await ask(asked)).error!.generation).toMatchObject({ status: 'completed' });
    expect([served(label).length, await charged(label)]).toEqual([1, 1]);
  });

  it('is served once, however many send it at once to all gateways', async () => {
    const { key, label } = mint();
    const answers = await Promise.all(Array.from({ length: 24 }, (_, index) => ask({ key, script: { label, outputTokens: 2 }, gateway: index % 2 })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 23 }, () => 409)]);
    expect([served(label).length, await charged(label)]).toEqual([1, 1]);
  });

  it('with another body is an error of its own, also where the bodies mean the same', async () => {
    const { key, label } = mint();
    await ask({ key, script: { label, outputTokens: 1 } });
    for (const other of [{ script: { label, outputTokens: 2 } }, { script: { label, outputTokens: 1 }, more: { n: 1 } }]) {
      const refused = await ask({ key, ...other });
      expect(refused).toMatchObject({ status: 422, retry: 'false', error: { code: 'idempotency_key_reused', param: 'Idempotency-Key' } });
      expect(refused.error).not.toHaveProperty('generation');
    }
    expect(served(label)).toHaveLength(1);
  });

  it("of another organization is another's: neither learns of the other", async () => {
    const { key, label } = mint();
    const other = await keyOfAnother('1');
    const statuses = [];
    for (const apiKey of [cluster.apiKey, other, cluster.apiKey, other]) statuses.push((await ask({ key, script: { label }, apiKey })).status);
    expect(statuses).toEqual([200, 200, 409, 409]);
    expect(served(label)).toHaveLength(2);
  });

  it('is for one operation', async () => {
    const { key } = mint();
    const legacy = { key, path: '/completions', more: { messages: undefined, prompt: 'once', max_tokens: 2 } };
    expect((await ask(legacy)).status).toBe(200);
    expect((await ask(legacy)).status).toBe(409);
    expect((await ask({ key })).status).toBe(422);
  });

  it('is free again a day later', async () => {
    const { key, label } = mint();
    await ask({ key, script: { label } });
    await cluster.sql('UPDATE idempotency_claim SET expires_at = kt_now() WHERE key = $1', [key]);
    expect((await ask({ key, script: { label } })).status).toBe(200);
    await cluster.sql('UPDATE idempotency_claim SET expires_at = kt_now() WHERE key = $1', [key]);
    await until('metering has deleted what expired', async () => (await cluster.sql('SELECT 1 FROM idempotency_claim WHERE key = $1', [key])).length === 0);
  });
});

describe('a key whose request was not served', () => {
  it.each<[string, number, Asked]>([
    ['was refused for its body', 400, { more: { temprature: 1 } }],
    ['was refused for its model', 404, { more: { model: 'none' } }],
    ['was refused for want of money', 402, { more: { model: 'dear' } }],
  ])('may come again, with any body, when it %s', async (_, status, refused) => {
    const { key, label } = mint();
    expect((await ask({ key, ...refused })).status).toBe(status);
    expect((await ask({ key, script: { label } })).status).toBe(200);
    expect(served(label)).toHaveLength(1);
  });

  it('may come again when a limit refused it', async () => {
    const { key, label } = mint();
    const buyer = await seedBuyer(cluster);
    const limit = await seedLimit(cluster, buyer, { measure: 'requests', amount: '0', per: 60_000 });
    const asked = { key, script: { label }, apiKey: buyer.keys[0]!.key };
    expect(await ask(asked)).toMatchObject({ status: 429, error: { code: 'rate_limit_exceeded' } });
    await cluster.sql('DELETE FROM usage_limit WHERE id = $1', [limit]);
    await until('the limit is gone, and the request is served', async () => (await ask(asked)).status === 200);
    expect([(await ask(asked)).status, served(label).length]).toEqual([409, 1]);
  });

  it('may come again when its client left before it held its money', async () => {
    const { key, label } = mint();
    const [running, left] = [mint(), new AbortController()];
    const apiKey = await keyOfAnother('0.0011');
    const more = { max_tokens: 1_000 };
    const first = ask({ apiKey, more, script: { label: running.label, outputTokens: 2, waitAfterChunks: 0 } });
    await until('the first holds the balance', () => vendor.waiting() === 1);
    const waiting = ask({ key, apiKey, more, script: { label }, signal: left.signal }).catch((error: unknown) => error);
    await until('the key is claimed', async () => (await cluster.sql('SELECT 1 FROM idempotency_claim WHERE key = $1', [key])).length === 1);
    left.abort();
    await waiting;
    await until('the key is free again', async () => (await cluster.sql('SELECT 1 FROM idempotency_claim WHERE key = $1', [key])).length === 0);
    vendor.letGo();
    await first;
    expect(served(label)).toEqual([]);
  });

  it('may come again when every vendor failed, which charged nothing', async () => {
    const { key, label } = mint();
    const asked = { key, script: { label, status: 500, failures: 1 } };
    expect(await ask(asked)).toMatchObject({ status: 502, retry: 'true', error: { code: 'upstream_error' } });
    const second = await ask({ ...asked, gateway: 1 });
    expect(second.status).toBe(200);
    expect((await ask(asked)).error!.generation!.id).toBe(second.requestId);
  });

  it('may not come again when a part of its answer was charged', async () => {
    const { key, label } = mint();
    const asked = { key, script: { label, outputTokens: 20, dieAfterChunks: 4 }, more: { stream: true } };
    const first = await ask(asked);
    expect(first.text).toContain('upstream_error');
    const { error, status } = await ask(asked);
    expect([status, error!.generation]).toEqual([409, { id: first.requestId, object: 'generation', status: 'failed', cost: expect.stringMatching(/^0\.0/), cost_currency: 'USD' }]);
    expect(served(label)).toHaveLength(1);
  });
});

describe('a key that is none', () => {
  it.each([
    ['is empty', ''],
    ['has 256 characters', 'k'.repeat(256)],
    ['holds a space', 'two words'],
    ['holds a letter beyond ASCII', 'cl\u00e9'],
  ])('since it %s is refused before anything is claimed', async (_, key) => {
    const before = await cluster.sql('SELECT count(*) FROM idempotency_claim');
    expect(await ask({ key })).toMatchObject({ status: 400, error: { code: 'invalid_value', param: 'Idempotency-Key' } });
    expect(await cluster.sql('SELECT count(*) FROM idempotency_claim')).toEqual(before);
  });

  it('but 255 characters are one', async () => {
    const key = 'k'.repeat(255);
    expect([(await ask({ key })).status, (await ask({ key })).status]).toEqual([200, 409]);
  });

  it.each([
    ['that is there twice', 'Idempotency-Key: a\r\nIdempotency-Key: b'],
    ['with a bare carriage return', 'Idempotency-Key: a\rx-forged: 1'],
    ['with a bare line feed and a folded line', 'Idempotency-Key: a\n x-forged: 1'],
    ['with a folded line', 'Idempotency-Key: a\r\n x-forged: 1'],
    ['with a NUL', 'Idempotency-Key: a\0b'],
  ])('%s is refused, and nothing of it comes back', async (_, header) => {
    const body = JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: 'hello' }] });
    const before = vendor.log().length;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${cluster.apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
    const answer = await exchangeRaw(Number(new URL(cluster.gatewayUrls[0]!).port), `${head}\r\n${header}\r\n\r\n${body}`);
    expect(statusOf(answer)).toBe(400);
    expect(answer).not.toContain('forged');
    expect(vendor.log()).toHaveLength(before);
  });

  it('nor do line breaks in any other value become headers of an answer', async () => {
    const path = '/v1/models/x%0d%0aset-cookie:%20forged=1';
    const answer = await exchangeRaw(Number(new URL(cluster.gatewayUrls[0]!).port), `GET ${path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${cluster.apiKey}\r\nConnection: close\r\n\r\n`);
    expect(statusOf(answer)).toBe(404);
    expect(answer.split('\r\n\r\n')[0]).not.toMatch(/forged/);
    const refused = await ask({ more: { model: 'x\r\nset-cookie: forged=1', user: 'a\r\nb', metadata: { 'k\r\nforged': 'v' } } });
    expect([refused.status, refused.error!.code]).toEqual([404, 'model_not_found']);
  });
});

describe('the official SDK of Node, whose answer is lost on its way', () => {
  /** A retry of the SDK's own, since its first answer is swallowed and its connection reset. */
  const loseAnswer = async (label: string, headers: Record<string, string>) => {
    const openai = new OpenAI({ baseURL: wire.through(cluster.gatewayUrls[0]!), apiKey: cluster.apiKey, maxRetries: 2 });
    wire.resetAll();
    const struck = wire.cut({ direction: 'toClient', afterBytes: 0, trigger: 'swallow', how: 'reset' });
    const asking = openai.chat.completions.create({ model: 'mock', messages: [{ role: 'user', content: instruct({ label, outputTokens: 5 }) }] }, { headers });
    const outcome = await asking.catch((error: unknown) => error);
    await struck;
    return outcome;
  };

  it('is not charged twice with a key: it raises a conflict that names generation and charge', async () => {
    const { key, label } = mint();
    const error = (await loseAnswer(label, { 'Idempotency-Key': key })) as ConflictError;
    expect(error).toBeInstanceOf(ConflictError);
    const { generation } = error.error as { generation: Generation };
    const cost = defaultSale(countPromptTokens(instruct({ label, outputTokens: 5 })), 5);
    expect(generation).toEqual({ id: expect.any(String), object: 'generation', status: 'completed', cost, cost_currency: 'USD' });
    expect([served(label).length, await charged(label)]).toEqual([1, 1]);
  });

  it('is charged for both requests without one', async () => {
    const { label } = mint();
    expect(await loseAnswer(label, {})).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
    expect([served(label).length, await charged(label)]).toEqual([2, 2]);
  });
});

describe('the official SDK of Python', () => {
  itNeeds('python-openai')('sends the key as an extra header, and raises its own conflict', async () => {
    const { key, label } = mint();
    const { stdout } = await promisify(execFile)(pythonPath(), [PYTHON_PROGRAM, cluster.gatewayUrls[0]!, cluster.apiKey, key, label], { timeout: PROGRAM_MS_MAX });
    const said = JSON.parse(stdout) as { cost: string; raised: { class: string; status: number; code: string; generation: Generation } };
    expect(said.raised).toEqual({ class: 'ConflictError', status: 409, code: 'idempotency_conflict', generation: { id: expect.any(String), object: 'generation', status: 'completed', cost: said.cost, cost_currency: 'USD' } });
    expect([served(label).length, await charged(label)]).toEqual([1, 1]);
  });
});
