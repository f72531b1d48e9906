import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import { ClientLog, type ChatOptions, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { seedGrant, seedOrganization, type SeedGrant, type SeededTenant } from '../support/cluster-seed.js';
import { withOwner } from '../support/invariants.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** What is held comes back: whoever leaves, whatever fails, whichever gateway is asked, to the last digit. */

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  const rates = { input: '0.15', output: '0.60', reasoning: '2.40' };
  cluster = await startCluster({
    gateways: 2,
    models: [
      { model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] },
      { model: 'dead', lanes: [{ baseUrl: 'http://127.0.0.1:1/v1', timeouts: { connectMs: 300 } }] },
      { model: 'thinking', sale: rates, lanes: [{ baseUrl: vendor.baseUrl, tokenClasses: ['input', 'output', 'reasoning'] }] },
    ],
    env: { CHECKPOINT_MS: '300' },
  });
});
beforeEach(() => {
  client = new ClientLog();
});
afterEach(async () => {
  await cluster.expectSettled();
  await client.close();
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const buyer = (...grants: (string | SeedGrant)[]) =>
  withOwner(cluster.ownerUrl, async (owner) => {
    const { rows } = await owner.query('SELECT id FROM price_book');
    return seedOrganization(owner, rows[0].id, { grants });
  });
type Buyer = Omit<SeededTenant, 'priceVersionIds'>;
const keyOf = ({ keys }: Buyer): string => keys[0]!.key;

const ask = (tenant: Buyer, options: Partial<ChatOptions> = {}, gateway = 0): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[gateway]!, apiKey: keyOf(tenant), ...options });

interface Credit {
  id: string;
  granted: string;
  available: string;
  held: string;
  used: string;
}
const credits = async (tenant: Buyer, gateway = 0): Promise<Credit[]> => {
  const answer = await fetch(`${cluster.gatewayUrls[gateway]}/credits`, { headers: { authorization: `Bearer ${keyOf(tenant)}` } });
  return ((await answer.json()) as { data: Credit[] }).data;
};
const sum = (list: Credit[], name: 'available' | 'held' | 'used'): Money => list.reduce((total, credit) => total + parseMoney(credit[name]), 0n);

describe('a hold', () => {
  it('that equals the balance to the last digit is admitted, and one digit less is not', async () => {
    // The label is part of the prompt, so it has the same length everywhere here.
    const body = { max_tokens: 10 };
    const rich = await buyer('1');
    const { hold } = await ask(rich, { body, script: { label: 'measure' } });
    const exact = await buyer(hold!);
    expect(await ask(exact, { body, script: { label: 'exactly' } })).toMatchObject({ status: 200, completed: true, hold });
    const less = await buyer(formatMoney(parseMoney(hold!) - 1n));
    expect(await ask(less, { body, script: { label: 'oneless' } })).toMatchObject({ status: 402, errorCode: 'insufficient_quota' });
  });

  it('of somebody rich is as large as of somebody poor: no balance is trusted in place of one', async () => {
    const ask50 = async (amount: string) => ask(await buyer(amount), { body: { max_tokens: 50 }, script: { label: 'wealth' } });
    const [poor, rich] = [await ask50('0.01'), await ask50('1000000000')];
    expect(parseMoney(poor.hold!)).toBeGreaterThan(parseMoney(poor.cost!));
    expect(rich).toMatchObject({ status: 200, completed: true, hold: poor.hold });
  });

  it('is seen as held while its request runs, by every gateway, and as used the moment it has ended', async () => {
    const tenant = await buyer('1');
    const running = ask(tenant, { stream: true, script: { outputTokens: 40, waitAfterChunks: 30 } });
    await until('it is in the middle', () => vendor.waiting() === 1);
    // The other gateway reads a hold of the database, where it is once its request is opened.
    await until('it is opened', async () => (await cluster.sql('SELECT FROM open_request WHERE organization_id = $1', [tenant.organizationId])).length === 1);
    const seen = [await credits(tenant, 0), await credits(tenant, 1)];
    vendor.letGo();
    const entry = await running;
    for (const [credit] of seen) {
      expect(credit).toMatchObject({ granted: '1', held: entry.hold, used: '0' });
      expect(parseMoney(credit!.available)).toBe(parseMoney('1') - parseMoney(entry.hold!));
    }
    for (const gateway of [0, 1]) {
      expect(await credits(tenant, gateway)).toMatchObject([{ held: '0', used: entry.cost, available: formatMoney(parseMoney('1') - parseMoney(entry.cost!)) }]);
    }
  });

  it('comes back from every request that is left or fails, at whatever point', async () => {
    const tenant = await buyer('0.01');
    const leave = (afterMs: number): AbortSignal => AbortSignal.timeout(afterMs);
    await Promise.all([
      // Before the vendor answers, within the stream, after it; a vendor that is not there, dies, hangs up, refuses.
      ...Array.from({ length: 10 }, (_, index) => ask(tenant, { stream: true, script: { firstByteDelayMs: 300, outputTokens: 5 }, signal: leave(20 + index * 20), body: { max_tokens: 20 } })),
      ...Array.from({ length: 10 }, (_, index) => ask(tenant, { stream: true, script: { outputTokens: 30, chunkDelayMs: 10 }, abortAfterChunks: 1 + index, body: { max_tokens: 30 } }, 1)),
      ...Array.from({ length: 5 }, () => ask(tenant, { model: 'dead', stream: true, body: { max_tokens: 20 } })),
      ...Array.from({ length: 5 }, () => ask(tenant, { script: { status: 500 }, body: { max_tokens: 20 } }, 1)),
      ...Array.from({ length: 5 }, () => ask(tenant, { stream: true, script: { dieAfterChunks: 2 }, body: { max_tokens: 20 } })),
    ]);
    await until('nothing is held', async () => sum(await credits(tenant), 'held') === 0n && sum(await credits(tenant, 1), 'held') === 0n);
    const [credit] = await credits(tenant);
    expect(parseMoney(credit!.available) + parseMoney(credit!.used)).toBe(parseMoney('0.01'));
    const [charged] = await cluster.sql<{ used: string }>('SELECT trim_scale(sum(charge))::text AS used FROM usage WHERE organization_id = $1', [tenant.organizationId]);
    expect(credit!.used).toBe(charged!.used);
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });

  it('comes back from requests that waited for money and were left: later ones are served, by another gateway too', async () => {
    const body = { max_tokens: 20 };
    const script = { outputTokens: 10, waitAfterChunks: 5 };
    const measured = ask(await buyer('1'), { body, script: { label: 'w', ...script } });
    await until('it is measured', () => vendor.waiting() === 1);
    vendor.letGo();
    const { hold } = await measured;
    const tenant = await buyer(hold!);
    const first = ask(tenant, { stream: true, body, script: { label: 'f', ...script } });
    await until('the first one runs', () => vendor.waiting() === 1);
    const waiting = Array.from({ length: 20 }, (_, index) => ask(tenant, { body, script: { label: 'x' }, signal: AbortSignal.timeout(30 + index * 10) }, index % 2));
    for (const entry of await Promise.all(waiting)) expect(entry.completed).toBe(false);
    vendor.letGo();
    expect((await first).completed).toBe(true);
    await withOwner(cluster.ownerUrl, (owner) => seedGrant(owner, tenant.organizationId, hold!));
    expect(await until('the other gateway serves', async () => {
      const entry = await ask(tenant, { body, script: { label: 'y' } }, 1);
      return entry.completed && entry;
    })).toMatchObject({ status: 200 });
  });

  it('over two grants is paid in burn order, and each row says by which', async () => {
    const tenant = await buyer('0.00002', '1');
    const entry = await ask(tenant, { body: { max_tokens: 200 }, script: { outputTokens: 100 } });
    expect(entry.completed).toBe(true);
    const [row] = await cluster.sql<{ allocations: { grant: string; amount: string }[] }>('SELECT allocations FROM usage WHERE id = $1', [entry.requestId]);
    expect(row!.allocations.map(({ grant }) => grant)).toEqual(tenant.grantIds);
    expect(row!.allocations[0]!.amount).toBe('0.00002');
    expect(row!.allocations.reduce((total, { amount }) => total + parseMoney(amount), 0n)).toBe(parseMoney(entry.cost!));
    const [first, second] = await credits(tenant);
    expect([first!.used, first!.available]).toEqual(['0.00002', '0']);
    expect(parseMoney(second!.used)).toBe(parseMoney(entry.cost!) - parseMoney('0.00002'));
  });

  it('is not taken from a grant for other models', async () => {
    const tenant = await buyer({ amount: '1', models: ['dead'] });
    expect(await ask(tenant)).toMatchObject({ status: 402, errorCode: 'insufficient_quota' });
  });
});

describe('reasoning tokens', () => {
  it('are priced once at their own rate, inside the completion tokens and not beside them', async () => {
    const tenant = await buyer('1');
    const entry = await ask(tenant, { model: 'thinking', script: { promptTokens: 100, outputTokens: 10, reasoningTokens: 4 } });
    // 100 × 0.15 + 6 × 0.60 + 4 × 2.40, by the million
    expect(entry).toMatchObject({ completed: true, cost: '0.0000282' });
    const [row] = await cluster.sql<{ counts: object }>('SELECT counts FROM usage WHERE id = $1', [entry.requestId]);
    expect(row!.counts).toEqual({ input: 100, output: 6, reasoning: 4 });
  });
});
