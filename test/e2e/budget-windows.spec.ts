import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { askAs, seedBuyer, seedLimit, type Asked, type Buyer, type SeedLimit } from '../support/limits.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** What a budget that is used up says of its end: the next midnight, Monday or first of the month where its organization is. */

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ gateways: 1, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }] });
});
afterEach(() => cluster.expectSettled());
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

type Calendar = 'day' | 'week' | 'month';

/** The calendar's own arithmetic, apart from the database's: names the window that a moment is in. */
const windowNamer = (kind: Calendar, zone: string): ((ms: number) => string) => {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' });
  return (ms) => {
    const [year, month, day] = format.format(ms).split('-').map(Number) as [number, number, number];
    if (kind === 'month') return `${year}-${month}`;
    const days = Date.UTC(year, month - 1, day) / 86_400_000;
    // 1970-01-01 was a Thursday.
    return kind === 'day' ? String(days) : String(Math.floor((days + 3) / 7));
  };
};

/** The first millisecond of the next window. */
const windowEndMs = (kind: Calendar, zone: string, atMs: number): number => {
  const nameOf = windowNamer(kind, zone);
  const current = nameOf(atMs);
  let [inside, outside] = [atMs, atMs + 40 * 86_400_000];
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (nameOf(middle) === current) inside = middle;
    else outside = middle;
  }
  return outside;
};

const buyerIn = async (zone: string, limit: SeedLimit): Promise<Buyer> => {
  const buyer = await seedBuyer(cluster);
  await cluster.sql('UPDATE organization SET time_zone = $2 WHERE id = $1', [buyer.organizationId, zone]);
  await seedLimit(cluster, buyer, limit);
  return buyer;
};

/** Uses most of the limit, and asks for more than is left. Also when it was asked: the answer's times are from then on. */
const refusedBy = async (buyer: Buyer, first: number, second: number): Promise<{ refused: Asked; beforeMs: number; afterMs: number }> => {
  const ask = askAs(cluster, buyer);
  expect((await ask({ maxTokens: first, script: { outputTokens: first } })).status).toBe(200);
  return until('what is left is known', async () => {
    const beforeMs = Date.now();
    const refused = await ask({ maxTokens: second });
    return refused.status === 429 && { refused, beforeMs, afterMs: Date.now() };
  });
};

/** The gateway goes by the database's clock, this test by its own, and requests take their time. */
const slackMs = 10_000;

describe.each<Calendar>(['day', 'week', 'month'])('a budget of a %s', (kind) => {
  it.each(['UTC', 'Pacific/Kiritimati', 'America/New_York', 'Asia/Kolkata'])('in %s says when its window ends, and that an SDK shall not try by itself', async (zone) => {
    const buyer = await buyerIn(zone, { measure: 'output_tokens', amount: '25', per: kind });
    const { refused, beforeMs, afterMs } = await refusedBy(buyer, 20, 10);
    expect(refused.error).toMatchObject({ code: 'budget_exceeded' });
    expect(refused.headers.get('x-should-retry')).toBe('false');
    const retryMs = Number(refused.headers.get('retry-after-ms'));
    expect(Number(refused.headers.get('retry-after'))).toBe(Math.ceil(retryMs / 1_000));
    // Where midnight passes while this runs either window may be meant.
    const misses = [beforeMs, afterMs].map((atMs) => Math.abs(windowEndMs(kind, zone, atMs) - atMs - retryMs));
    expect(Math.min(...misses)).toBeLessThan(slackMs);
  });
});

describe('a budget of money', () => {
  it('says when its window ends', async () => {
    const probe = await askAs(cluster, await seedBuyer(cluster))({ maxTokens: 20, script: { outputTokens: 20 } });
    const buyer = await buyerIn('Europe/Berlin', { measure: 'money', amount: probe.headers.get('x-kilotoken-hold')!, per: 'month' });
    const { refused, beforeMs, afterMs } = await refusedBy(buyer, 20, 20);
    expect(refused.error).toMatchObject({ code: 'budget_exceeded' });
    const misses = [beforeMs, afterMs].map((atMs) => Math.abs(windowEndMs('month', 'Europe/Berlin', atMs) - atMs - Number(refused.headers.get('retry-after-ms'))));
    expect(Math.min(...misses)).toBeLessThan(slackMs);
  });

  it('tells a request that is larger than all of it not to come again, and why', async () => {
    const buyer = await buyerIn('UTC', { measure: 'money', amount: '0.00000001', per: 'month' });
    const refused = await askAs(cluster, buyer)({ maxTokens: 1_000 });
    expect(refused.error).toMatchObject({ status: 429, code: 'budget_exceeded' });
    expect([refused.headers.get('x-should-retry'), refused.headers.get('retry-after'), refused.headers.get('retry-after-ms')]).toEqual(['false', null, null]);
    expect(refused.error!.message).toContain('larger than the limit, so a retry does not help');
  });
});
