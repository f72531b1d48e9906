import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startCluster, type Cluster } from '../support/cluster.js';
import { withOwner } from '../support/invariants.js';
import { seedBuyer } from '../support/limits.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Reading an account costs no money, so it has limits of its own, and connections that nothing else waits for. */

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['10'] });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const get = (path: string, key: string): Promise<Response> => fetch(`${cluster.gatewayUrls[0]}${path}`, { headers: { authorization: `Bearer ${key}` } });

describe('a customer that reads its account without end', () => {
  it.each(['/credits', '/models', '/models/mock', '/generations/01890000-0000-7000-8000-000000000000'])('is told to wait (%s), by a 429 that SDKs understand', async (path) => {
    const buyer = await seedBuyer(cluster);
    const { key } = buyer.keys[0]!;
    const statuses: number[] = [];
    for (let round = 0; round < 60 && !statuses.includes(429); round += 1) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => get(path, key)));
      for (const answer of answers) {
        statuses.push(answer.status);
        if (answer.status !== 429) continue;
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
        expect(answer.headers.get('x-should-retry')).toBe('true');
        expect(await answer.json()).toMatchObject({ error: { code: 'rate_limit_exceeded', type: 'rate_limit_error' } });
      }
    }
    expect(statuses).toContain(429);
    // Others are not told so.
    expect((await get(path, (await seedBuyer(cluster)).keys[0]!.key)).status).not.toBe(429);
  });

  it('keeps no other customer’s first request waiting, not even with reads that hang', async () => {
    const reader = await seedBuyer(cluster);
    const other = await seedBuyer(cluster);
    expect((await get('/models', reader.keys[0]!.key)).status).toBe(200);
    let reads: Promise<Response>[] = [];
    await withOwner(cluster.ownerUrl, async (owner) => {
      await owner.query('BEGIN');
      await owner.query('LOCK TABLE lease IN ACCESS EXCLUSIVE MODE');
      reads = Array.from({ length: 60 }, () => get('/credits', reader.keys[0]!.key));
      const refused = await Promise.any(reads.map(async (read) => ((await read).status === 429 ? read : Promise.reject(new Error('not refused')))));
      expect(refused.status).toBe(429);
      // Its key is in no cache yet: it is looked up in the database, on a connection that no read of an account can take.
      expect((await get('/models', other.keys[0]!.key)).status).toBe(200);
      const { rows } = await owner.query<{ running: bigint }>("SELECT count(*) AS running FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gateway accounts' AND wait_event_type = 'Lock'");
      expect(Number(rows[0]!.running)).toBe(2);
      await owner.query('ROLLBACK');
    });
    const statuses = (await Promise.all(reads)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(22);
    expect(statuses.filter((status) => status === 429)).toHaveLength(38);
  });
});
