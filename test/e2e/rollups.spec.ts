import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool } from '@kilotoken/platform';
import { findRolledDays, readUsageRollup, verifyRollups } from '@kilotoken/rollups';
import type pg from 'pg';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Rollups and partitions as the metering process keeps them, killed while it does. */

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
let owner: pg.Pool;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['1'] });
  client = new ClientLog();
  owner = createPool({ connectionString: cluster.ownerUrl, max: 1, applicationName: 'test' });
});
afterAll(async () => {
  await owner?.end();
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

const ask = (count: number) => Promise.all(Array.from({ length: count }, (_, index) => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream: index % 2 === 0 })));

describe('metering', () => {
  it('that is killed again and again counts every request once in its rollups', async () => {
    for (let round = 0; round < 4; round += 1) {
      await ask(30);
      await cluster.metering!.kill('SIGKILL');
      await ask(10);
      await cluster.metering!.start();
    }
    await cluster.expectSettled();
    await until('all is rolled up', async () => (await cluster.sql('SELECT FROM unrolled_batch LIMIT 1')).length === 0, 20_000);

    const [usage] = await cluster.sql<{ organizationId: string; charge: string; output: string }>(
      `SELECT organization_id AS "organizationId", sum(charge * 1000000000000)::bigint::text AS charge, sum((counts ->> 'output')::bigint)::text AS output FROM usage GROUP BY 1`,
    );
    const days = await findRolledDays(owner);
    const rolled = await readUsageRollup(owner, { organizationId: usage!.organizationId, from: days!.from.toISOString(), to: days!.until.toISOString(), granularity: 'day', groupBy: ['model', 'lane'] });
    expect(rolled.reduce((sum, { requests }) => sum + requests, 0n)).toBe(160n);
    expect(rolled.reduce((sum, { charge }) => sum + charge['USD']!, 0n)).toBe(BigInt(usage!.charge));
    expect(rolled.reduce((sum, { tokens }) => sum + tokens.output!, 0n)).toBe(BigInt(usage!.output));
    expect(await verifyRollups(owner, days!)).toMatchObject({ usageRows: 160, waitingRows: 0, daysArchived: 0, differences: [] });
  });

  it('makes the partitions that are missing ahead', async () => {
    await cluster.sql('DROP TABLE ' + (await cluster.sql<{ name: string }>("SELECT partition AS name FROM usage_partitions() WHERE first_id > uuid_floor(now() + interval '20 days') ORDER BY first_id LIMIT 1"))[0]!.name);
    const missing = async (): Promise<number> => (await cluster.sql("SELECT FROM generate_series(now(), now() + interval '90 days', '1 day') d WHERE NOT EXISTS (SELECT FROM usage_partitions() p WHERE uuid_floor(d) >= p.first_id AND uuid_floor(d) < p.until_id)")).length;
    expect(await missing()).toBeGreaterThan(0);
    await cluster.metering!.kill('SIGTERM');
    await cluster.metering!.start();
    await until('they are there', async () => (await missing()) === 0);
  });
});
