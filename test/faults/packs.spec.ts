import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { seedGrant, seedOrganization, type SeedGrant } from '../support/cluster-seed.js';
import { withOwner } from '../support/invariants.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/**
 * Token packs before and beside money, through two gateways, down to the floor of each unit, while gateways are killed. The books hold
 * per unit: no pack is overdrawn, no token is paid twice, and money pays exactly the tokens that no pack covers.
 */

const CONCURRENCY = 8;
const SCRIPT: VendorScript = { promptTokens: 10, outputTokens: 20 };
/** 10 × 1 + 20 × 4 */
const BURNS = 90;

const kills = [
  { place: 'after a hold', failpoint: 'after_hold:25' },
  { place: 'at a checkpoint', failpoint: 'checkpoint:3' },
  { place: 'before a commit', failpoint: 'before_commit:12' },
  { place: 'after a commit', failpoint: 'after_commit:12' },
];
/** Behind the two that go on, each kill has a gateway of its own, so that all sessions are reaped in one wait. */
const goingOn = 2;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: goingOn + kills.length,
    gatewayEnv: [{}, {}, ...kills.map(({ failpoint }) => ({ KILOTOKEN_FAILPOINT: failpoint }))],
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }, { model: 'other', lanes: [{ baseUrl: vendor.baseUrl }] }],
    packs: [
      { unit: 'qwen-pack', weights: { input: '1', output: '4' } },
      { unit: 'input-pack', weights: { input: '1', output: null } },
      { unit: 'whole-pack', weights: { input: '0.3', output: '1.1' }, decimals: 0, rounding: 'up' },
    ],
    env: { SESSION_TTL_MS: '5000', CHECKPOINT_MS: '300', IDLE_LEASE_MS: '500', FLOOR_WAIT_MS: '3000' },
  });
});
beforeEach(() => {
  client = new ClientLog();
});
afterEach(() => client.close());
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const buyer = (...grants: SeedGrant[]) =>
  withOwner(cluster.ownerUrl, async (owner) => {
    const { rows } = await owner.query('SELECT id AS price_book_id FROM price_book');
    return seedOrganization(owner, rows[0].price_book_id, { grants });
  });
type Buyer = Awaited<ReturnType<typeof buyer>>;

let asked = 0;
const ask = ({ keys }: Buyer, body: object = {}): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[(asked += 1) % goingOn]!, apiKey: keys[0]!.key, script: SCRIPT, body: { max_tokens: 20, ...body } });

const usedOf = async ({ organizationId }: Buyer): Promise<Record<string, string>> => {
  const rows = await cluster.sql<{ unit: string; amount: string }>(
    `SELECT a ->> 'unit' AS unit, trim_scale(sum((a ->> 'amount')::numeric))::text AS amount FROM usage u CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a
     WHERE u.organization_id = $1 GROUP BY 1 ORDER BY 1`,
    [organizationId],
  );
  return Object.fromEntries(rows.map(({ unit, amount }) => [unit, amount]));
};

const portionsOf = ({ organizationId }: Buyer) =>
  cluster.sql<{ portions: { unit: string; counts: object; charge: string }[] | null; charge: string }>(
    'SELECT portions, trim_scale(charge)::text AS charge FROM usage WHERE organization_id = $1 ORDER BY id', [organizationId],
  );

/** Every gateway has given back what it leased, so that what is left of a grant can be told. */
const untilReturned = ({ organizationId }: Buyer): Promise<unknown> =>
  until('nothing is leased', async () => (await cluster.sql('SELECT 1 FROM credit_grant WHERE organization_id = $1 AND leased > 0', [organizationId])).length === 0, 30_000);

describe('a pack before money', () => {
  it('pays alone while it covers a request', async () => {
    const acme = await buyer({ unit: 'qwen-pack', amount: '1000', priority: 1 }, { amount: '1', priority: 2 });
    const { completed } = await ask(acme);
    expect(completed).toBe(true);
    expect(await usedOf(acme)).toEqual({ 'qwen-pack': String(BURNS) });
    expect(await portionsOf(acme)).toMatchObject([{ charge: '0', portions: [{ unit: 'qwen-pack', counts: { input: 10, output: 20 }, charge: '90' }] }]);
  });

  it('pays its remainder in whole tokens, and money the rest', async () => {
    const acme = await buyer({ unit: 'qwen-pack', amount: '31', priority: 1 }, { amount: '1', priority: 2 });
    expect(await ask(acme)).toMatchObject({ completed: true });
    // 10 tokens of prompt and 5 of the answer are 30 units; 15 tokens of the answer at 0.60 USD a million.
    expect(await portionsOf(acme)).toMatchObject([{ charge: '0.000009', portions: [{ unit: 'qwen-pack', counts: { input: 10, output: 5 }, charge: '30' }, { unit: 'USD', counts: { output: 15 }, charge: '0.000009' }] }]);
    await untilReturned(acme);
    expect(await ask(acme)).toMatchObject({ completed: true });
    // One unit pays for one more token of prompt.
    expect(await usedOf(acme)).toMatchObject({ 'qwen-pack': '31' });
  });

  it('is refused at the floor of both, and served again after a top-up of either', async () => {
    const acme = await buyer({ unit: 'qwen-pack', amount: '89', priority: 1 }, { amount: '0.000001', priority: 2 });
    expect(await ask(acme)).toMatchObject({ completed: false, status: 402, errorCode: 'insufficient_quota' });
    await withOwner(cluster.ownerUrl, (owner) => seedGrant(owner, acme.organizationId, { unit: 'qwen-pack', amount: '1000' }));
    await until('the pack covers a request', async () => (await ask(acme)).completed, 10_000);
    expect(await usedOf(acme)).toEqual({ 'qwen-pack': String(BURNS) });
  });
});

describe('a pack beside money', () => {
  it('does not burn for a model outside its scope', async () => {
    const acme = await buyer({ unit: 'qwen-pack', amount: '1000', models: ['mock'], priority: 1 }, { amount: '1', priority: 2 });
    expect(await ask(acme, { model: 'other' })).toMatchObject({ completed: true });
    expect(Object.keys(await usedOf(acme))).toEqual(['USD']);
  });

  it('that covers prompts alone leaves answers to money', async () => {
    const acme = await buyer({ unit: 'input-pack', amount: '1000', priority: 1 }, { amount: '1', priority: 2 });
    expect(await ask(acme)).toMatchObject({ completed: true });
    expect(await usedOf(acme)).toEqual({ 'input-pack': '10', USD: '0.000012' });
  });

  it('burns after money that is to be spent first', async () => {
    const acme = await buyer({ unit: 'qwen-pack', amount: '1000', priority: 2 }, { amount: '1', priority: 1 });
    expect(await ask(acme)).toMatchObject({ completed: true });
    expect(Object.keys(await usedOf(acme))).toEqual(['USD']);
  });

  it('rounds each line as its unit declares', async () => {
    const acme = await buyer({ unit: 'whole-pack', amount: '100', priority: 1 });
    expect(await ask(acme)).toMatchObject({ completed: true });
    // 10 × 0.3 = 3 and 20 × 1.1 = 22, both whole; one token of each would be 1 and 2.
    expect(await usedOf(acme)).toEqual({ 'whole-pack': '25' });
  });
});

describe('gateways that are killed while packs and money pay', () => {
  const script = (request: number): VendorScript => (request % 4 === 0 ? { outputTokens: 45, chunkDelayMs: 40 } : { outputTokens: 5 + (request % 7), chunkDelayMs: 5 });

  /** Load of a buyer of its own through the doomed gateway and one that goes on, until both kinds of unit have paid. Answers what was used of each. */
  const killUnderLoad = async (index: number): Promise<Record<string, string>> => {
    const acme = await buyer({ unit: 'qwen-pack', amount: '1500', priority: 1 }, { unit: 'whole-pack', amount: '400', priority: 2 }, { amount: '0.01', priority: 3 });
    const doomed = cluster.gateways[goingOn + index]!;
    const { pid } = doomed;
    const baseUrls = [cluster.gatewayUrls[goingOn + index]!, cluster.gatewayUrls[index % goingOn]!];
    const load = startLoad(client, { baseUrls, apiKey: acme.keys[0]!.key, concurrency: CONCURRENCY, script });
    expect(await doomed.untilExit()).toEqual({ code: null, signal: 'SIGKILL' });
    await until('money pays as well', async () => 'USD' in (await usedOf(acme)), 60_000);
    await Promise.all([cluster.untilReaped(pid), load.stop()]);
    return usedOf(acme);
  };

  it(`lose nothing of either and bill nothing twice, wherever they are killed: ${kills.map(({ place }) => place).join(', ')}`, async () => {
    const used = await Promise.all(kills.map((_, index) => killUnderLoad(index)));
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: kills.length * CONCURRENCY });
    for (const { 'qwen-pack': packed } of used) {
      expect(Number(packed)).toBeLessThanOrEqual(1500);
      expect(Number(packed)).toBeGreaterThan(0);
    }
  });
});
