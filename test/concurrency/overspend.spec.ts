import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale, seedGrant, seedOrganization } from '../support/cluster-seed.js';
import { withOwner } from '../support/invariants.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { sustainedLoadMs } from '../support/test-settings.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Many clients, two gateways, little money: nobody is served more than the money is worth, and what it is worth is served. */

const OUTPUT_TOKENS = 40;
const PROMPT_TOKENS = 12;
const PRICE = parseMoney(defaultSale(PROMPT_TOKENS, OUTPUT_TOKENS));
const WORTH = 20;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: 2,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    // Small waits make many waiters give up: refusals are part of what is proven.
    env: { FLOOR_WAIT_MS: '4000' },
  });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});
afterEach(async () => {
  await client?.close();
});

/** An organization with money for so many answers, beside those of other tests. */
const buyer = (answers: number) =>
  withOwner(cluster.ownerUrl, async (owner) => {
    const { rows } = await owner.query('SELECT id AS price_book_id FROM price_book');
    return seedOrganization(owner, rows[0].price_book_id, { grants: [formatMoney(PRICE * BigInt(answers))] });
  });

let asked = 0;
const ask = (apiKey: string, more: object = {}): Promise<ClientLogEntry> =>
  client.chat({
    baseUrl: cluster.gatewayUrls[(asked += 1) % 2]!,
    apiKey,
    script: { outputTokens: OUTPUT_TOKENS, promptTokens: PROMPT_TOKENS },
    body: { max_tokens: OUTPUT_TOKENS },
    ...more,
  });

const grantOf = async (organizationId: string) =>
  (
    await cluster.sql<{ granted: string; used: string }>(
      'SELECT trim_scale(g.granted)::text AS granted, (SELECT trim_scale(coalesce(sum(charge), 0))::text FROM usage WHERE organization_id = $1) AS used FROM credit_grant g WHERE organization_id = $1',
      [organizationId],
    )
  )[0]!;

const refusedRightly = ({ completed, status, errorCode }: ClientLogEntry): boolean =>
  completed || (status === 402 && errorCode === 'insufficient_quota') || (status === 429 && errorCode === 'balance_held');

describe('a grant that is worth 20 requests', () => {
  it.each([false, true])('serves at most 20 and at least 8 of 500 that come at once through two gateways (stream = %s)', async (stream) => {
    client = new ClientLog(`burst-${stream}`);
    const tenant = await buyer(WORTH);
    const entries = await Promise.all(Array.from({ length: 500 }, () => ask(tenant.keys[0]!.key, { stream })));
    const served = entries.filter(({ completed }) => completed).length;
    expect(entries.filter((entry) => !refusedRightly(entry))).toEqual([]);
    expect(served).toBeLessThanOrEqual(WORTH);
    expect(served).toBeGreaterThanOrEqual(8);
    await cluster.expectSettled();
    expect((await grantOf(tenant.organizationId)).used).toBe(formatMoney(PRICE * BigInt(served)));
  });

  it('is spent to what its holds allow by requests that come one after another', async () => {
    client = new ClientLog('one-by-one');
    const tenant = await buyer(WORTH);
    const entries: ClientLogEntry[] = [];
    // For a moment a gateway may be refused what the other one has just been lent.
    await until('nothing is left', async () => {
      entries.push(await ask(tenant.keys[0]!.key));
      return entries.at(-1)!.errorCode === 'insufficient_quota';
    });
    const served = entries.filter(({ completed }) => completed).length;
    // A prompt is bounded by its bytes before it is counted, so the last bit of money covers no worst case any more.
    expect(served).toBeGreaterThanOrEqual(WORTH - 2);
    expect(served).toBeLessThanOrEqual(WORTH);
    expect(entries.filter((entry) => !refusedRightly(entry))).toEqual([]);
  });
});

describe('under sustained load', () => {
  it('money that keeps coming is never overspent, and the final balance is exact', async () => {
    client = new ClientLog('sustained');
    const tenant = await buyer(WORTH);
    const key = tenant.keys[0]!.key;
    const endsAt = performance.now() + sustainedLoadMs;
    let granted = PRICE * BigInt(WORTH);
    const worker = async (index: number): Promise<void> => {
      while (performance.now() < endsAt) await ask(key, { stream: index % 2 === 0 });
    };
    const topUp = async (): Promise<void> => {
      while (performance.now() < endsAt) {
        await withOwner(cluster.ownerUrl, (owner) => seedGrant(owner, tenant.organizationId, formatMoney(PRICE * 3n)));
        granted += PRICE * 3n;
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    };
    await Promise.all([...Array.from({ length: 32 }, (_, index) => worker(index)), topUp()]);

    expect(client.entries.filter((entry) => !refusedRightly(entry))).toEqual([]);
    await cluster.expectSettled();
    const served = BigInt(client.completed().length);
    expect(served).toBeGreaterThan(BigInt(WORTH) / 2n);
    expect(PRICE * served).toBeLessThanOrEqual(granted);
    const [sum] = await cluster.sql<{ used: string }>('SELECT trim_scale(sum(charge))::text AS used FROM usage WHERE organization_id = $1', [tenant.organizationId]);
    expect(sum!.used).toBe(formatMoney(PRICE * served));
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  }, sustainedLoadMs + 60_000);
});

describe('behind it all', () => {
  it('every invariant holds', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled();
  });
});
