import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { askAs, countOf, seedBuyer, seedLimit, type Asked } from '../support/limits.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** What limits live through: a gateway that is killed, midnight, a key that is rolled, and a person at the command line. */

const script = fileURLToPath(new URL('../../tools/kt.mjs', import.meta.url));
const run = promisify(execFile);
const COMMAND_MS_MAX = 150_000;

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ gateways: 2, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], env: { SESSION_TTL_MS: '5000' } });
});
afterEach(() => cluster.expectSettled());
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const kt = async (...words: string[]): Promise<Record<string, string>> =>
  JSON.parse((await run(process.execPath, [script, ...words, '--json'], { env: { ...process.env, DATABASE_URL: cluster.ownerUrl }, timeout: COMMAND_MS_MAX })).stdout);

const sumOf = async (statement: string, value: string): Promise<number> => Number((await cluster.sql<{ n: string }>(`SELECT coalesce(${statement}, 0) AS n`.replace('$1', `'${value}'`)))[0]!.n);
const takenOf = (limit: string): Promise<number> => sumOf('(SELECT sum(taken) FROM limit_counter WHERE limit_id = $1)', limit);

describe('a gateway that is killed', () => {
  it('gives back its concurrency when it is reaped, and its budget is what its usage rows say', async () => {
    const buyer = await seedBuyer(cluster);
    const concurrency = await seedLimit(cluster, buyer, { measure: 'concurrency', amount: '4' });
    const budget = await seedLimit(cluster, buyer, { measure: 'money', amount: '1', per: 'day' });
    const tokens = await seedLimit(cluster, buyer, { on: 'end_user', measure: 'tokens', amount: '100000', per: 'month' });
    const ask = askAs(cluster, buyer);
    // For a moment a gateway refuses what the other one has idle.
    await until('four are served at once', async () => countOf(await Promise.all([0, 1, 0, 1].map((gateway) => ask({ gateway, user: 'ada' }))), 200) === 4);
    const hang = async (): Promise<void> => {
      // Who finds the places taken by an answer that is just ending tries again.
      while ((await ask({ gateway: 1, script: { outputTokens: 5, firstByteDelayMs: 60_000 } }).catch(() => null))?.status === 429);
    };
    const lost = Array.from({ length: 4 }, hang);
    await until('four hang', async () => (await cluster.sql('SELECT FROM open_request WHERE organization_id = $1', [buyer.organizationId])).length === 4);
    expect((await ask()).status).toBe(429);
    const { pid } = cluster.gateways[1]!;
    await cluster.gateways[1]!.kill();
    await Promise.all(lost);
    expect((await ask()).error?.message).toContain('concurrent requests');
    await cluster.untilReaped(pid!);
    await until('its places are free', async () => countOf(await Promise.all(Array.from({ length: 4 }, () => ask({ script: { outputTokens: 5, firstByteDelayMs: 300 } }))), 200) === 4);
    await until('nothing is held of concurrency', async () => (await takenOf(concurrency)) === 0);
    const charged = await sumOf('(SELECT sum(charge) FROM usage WHERE organization_id = $1)', buyer.organizationId);
    await until('the budget counts what was charged', async () => (await takenOf(budget)) === charged);
    const used = await sumOf("(SELECT sum((counts ->> 'input')::numeric + (counts ->> 'output')::numeric) FROM usage WHERE organization_id = $1 AND outcome = 'completed')", buyer.organizationId);
    await until('and the tokens that were used', async () => (await takenOf(tokens)) === used);
    await cluster.gateways[1]!.restart();
  });
});

describe("a day's budget", () => {
  /** So long before or after Kathmandu's midnight of the day after tomorrow. */
  const shiftTo = (beforeMidnight: string) =>
    cluster.sql(
      `UPDATE database_mark SET clock_shift = (date_trunc('day', now() AT TIME ZONE 'Asia/Kathmandu') + interval '2 days') AT TIME ZONE 'Asia/Kathmandu' - interval '${beforeMidnight}' - now()`,
    );
  afterEach(() => cluster.sql("UPDATE database_mark SET clock_shift = '0'"));

  it("is whole again after the organization's midnight, and not before", async () => {
    const buyer = await seedBuyer(cluster);
    await cluster.sql("UPDATE organization SET time_zone = 'Asia/Kathmandu' WHERE id = $1", [buyer.organizationId]);
    await seedLimit(cluster, buyer, { measure: 'requests', amount: '3', per: 'day' });
    const ask = askAs(cluster, buyer);
    await shiftTo('30 minutes');
    const served = () =>
      cluster.sql<{ served: number; ahead: boolean }>(
        `SELECT count(*)::int AS served, bool_and(admitted_at > now() + interval '12 hours') AS ahead FROM usage WHERE organization_id = $1
         GROUP BY (admitted_at AT TIME ZONE 'Asia/Kathmandu')::date`,
        [buyer.organizationId],
      );
    // Gateways hear the new time with their next poll; until then they serve the day that it really is.
    await until('the day before is used up on both gateways', async () => {
      const answers: Asked[] = await Promise.all([0, 1, 0, 1].map((gateway) => ask({ gateway })));
      return countOf(answers, 429) === 4 && (await served()).some(({ ahead }) => ahead);
    });
    expect((await served()).every(({ served: requests }) => requests <= 3)).toBe(true);
    // One second is for who is refused for the moment.
    const seconds = await until('a refusal knows when the day is over', async () => {
      const told = Number((await ask()).headers.get('retry-after'));
      return told > 1 && told;
    });
    expect(seconds).toBeGreaterThan(25 * 60);
    expect(seconds).toBeLessThanOrEqual(30 * 60);
    await shiftTo('-1 second');
    await until('the new day has begun', async () => (await ask()).status === 200);
    await until('the new day is used up', async () => (await ask()).status === 429);
    expect((await served()).map(({ served: requests }) => requests).every((requests) => requests <= 3)).toBe(true);
  });

  it('ends by the zone that a person sets while it is used up, on both gateways', async () => {
    const buyer = await seedBuyer(cluster);
    await seedLimit(cluster, buyer, { measure: 'requests', amount: '3', per: 'day' });
    const ask = askAs(cluster, buyer);
    const retryAfterS = async (gateway: number): Promise<number> => Number((await ask({ gateway })).headers.get('retry-after'));
    await shiftTo('30 minutes');
    await until('the day of UTC is used up on both gateways', async () => {
      const waits = await Promise.all([0, 1].map(retryAfterS));
      // Midnight of UTC is a quarter to six in Kathmandu.
      return waits.every((waitS) => waitS > 5 * 3600 && waitS <= 6.25 * 3600);
    });
    expect(await kt('orgs', 'set', '--org', buyer.organizationId, '--time-zone', 'Asia/Kathmandu')).toMatchObject({ timeZone: 'Asia/Kathmandu' });
    await until('both gateways know the new midnight', async () => {
      const waits = await Promise.all([0, 1].map(retryAfterS));
      return waits.every((waitS) => waitS > 0 && waitS <= 30 * 60);
    });
    await shiftTo('-1 second');
    await until('the new day has begun', async () => (await ask()).status === 200);
    await until('the new day is used up', async () => (await ask()).status === 429);
    const days = await cluster.sql<{ served: number }>(
      "SELECT count(*)::int AS served FROM usage WHERE organization_id = $1 GROUP BY (admitted_at AT TIME ZONE 'Asia/Kathmandu')::date",
      [buyer.organizationId],
    );
    expect(days.length).toBeGreaterThan(1);
    expect(days.every(({ served: requests }) => requests <= 3)).toBe(true);
  }, COMMAND_MS_MAX);
});

describe('a key that is rolled', () => {
  it('has used what its predecessor used', async () => {
    const buyer = await seedBuyer(cluster);
    await kt('limits', 'set', '--org', buyer.organizationId, '--key', buyer.keys[0]!.id, '--measure', 'requests', '--amount', '3', '--per', '1h');
    const ask = askAs(cluster, buyer);
    await until('the limit is known', async () => (await ask()).status === 429);
    const rolled = await kt('keys', 'roll', '--org', buyer.organizationId, buyer.keys[0]!.id, '--overlap', '1h');
    buyer.keys.push({ id: rolled['id']!, key: rolled['key']! });
    for (const gateway of [0, 1]) expect((await ask({ key: 1, gateway })).error?.message).toContain('requests per hour of the API key');
  }, COMMAND_MS_MAX);
});
