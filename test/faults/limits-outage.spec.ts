import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { askOnceAs, countOf, seedBuyer, seedLimit, type Asked } from '../support/limits.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * Limits fail closed: without the database a gateway spends what it was given, and admits nothing on trust. The model is
 * free, so that nothing but the limit can refuse.
 */

const LIMIT = 20;

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ gateways: 2, proxied: true, models: [{ model: 'mock', sale: { input: '0', output: '0' }, lanes: [{ baseUrl: vendor.baseUrl }] }], env: { SESSION_TTL_MS: '60000' } });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

describe('a limit whose database cannot be reached', () => {
  it('is not exceeded by requests that come meanwhile, on two gateways: what was not given out is refused, and nothing is admitted on trust', async () => {
    const buyer = await seedBuyer(cluster);
    await seedLimit(cluster, buyer, { measure: 'requests', amount: String(LIMIT), per: 3_600_000 });
    const ask = askOnceAs(cluster, buyer);
    for (const gateway of [0, 1]) expect((await ask({ gateway })).status).toBe(200);

    for (const proxy of cluster.proxies) {
      proxy.refuse(true);
      proxy.resetAll();
    }
    const refused: Asked[] = [];
    const away = Array.from({ length: 6 * LIMIT }, async (_, index) => {
      const answer = await ask({ gateway: index % 2 });
      if (answer.status !== 200) refused.push(answer);
      return answer;
    });
    // What a gateway had in hand may run and waits for its settlement; all else is told no while the database is away.
    await until('what was not given out is refused', () => refused.length >= 5 * LIMIT, 40_000);
    expect(vendor.log().length).toBeLessThanOrEqual(LIMIT);
    // Nobody is told of a limit: whether it has room is what cannot be known.
    for (const { error, headers } of refused) expect([error?.status, error?.code, headers.get('retry-after')]).toEqual([503, 'service_unavailable', '1']);
    for (const proxy of cluster.proxies) proxy.refuse(false);

    const answers = await Promise.all(away);
    for (const { status, error } of answers) if (status !== 200) expect(['rate_limit_exceeded', 'service_unavailable']).toContain(error?.code);
    expect(countOf(answers, 200)).toBeLessThanOrEqual(LIMIT - 2);
    // A gateway refuses for a moment what the other one has idle, so a first refusal does not say that all is used.
    await until('the rest of the limit is used', async () => {
      await Promise.all([ask({ gateway: 0 }), ask({ gateway: 1 })]);
      return vendor.log().length >= LIMIT;
    }, 20_000);
    for (const gateway of [0, 1]) expect((await ask({ gateway })).status).toBe(429);
    expect(vendor.log()).toHaveLength(LIMIT);
    await cluster.expectSettled();
  });
});
