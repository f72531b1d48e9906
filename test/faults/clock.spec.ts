import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { seedGrant, seedKey, seedOrganization } from '../support/cluster-seed.js';
import { withOwner } from '../support/invariants.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { askAs, countOf, seedBuyer, seedLimit } from '../support/limits.js';
import { itNeeds, libfaketimePath } from '../support/requirements.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** One gateway's clock is an hour fast, another's an hour slow: time that money depends on is the database's. */

const HOUR_MS = 3_600_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

const shifted = (offset: string): Record<string, string> => ({ LD_PRELOAD: libfaketimePath(), FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' });
const isThere = libfaketimePath() !== '';

beforeAll(async () => {
  if (!isThere) return;
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: 2,
    gatewayEnv: [shifted('+1h'), shifted('-1h')],
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: [{ amount: '1', expiresInMs: HOUR_MS / 2 }],
    keys: [{}, { expiresInMs: HOUR_MS / 2 }, { expiresInMs: -HOUR_MS / 2 }],
  });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

const ask = (gateway: number, apiKey: string, stream = false): Promise<ClientLogEntry> => client.chat({ baseUrl: cluster.gatewayUrls[gateway]!, apiKey, stream });

describe.each([
  ['an hour fast', 0],
  ['an hour slow', 1],
])('a gateway whose clock is %s', (_, gateway) => {
  itNeeds('linux', 'libfaketime')('takes a key for valid that still is, and not one that has expired', async () => {
    expect(await ask(gateway, cluster.tenant.keys[1]!.key)).toMatchObject({ status: 200, completed: true });
    expect(await ask(gateway, cluster.tenant.keys[2]!.key)).toMatchObject({ status: 401, errorCode: 'expired_api_key' });
  });

  itNeeds('linux', 'libfaketime')('spends a grant until its expiry in database time and not after it', async () => {
    const other = await withOwner(cluster.ownerUrl, async (owner) => {
      const { rows } = await owner.query('SELECT id FROM price_book');
      const tenant = await seedOrganization(owner, rows[0].id, {});
      await seedGrant(owner, tenant.organizationId, { amount: '1', expiresInMs: 6_000 });
      return tenant;
    });
    const { key } = other.keys[0]!;
    const first = await ask(gateway, key);
    expect(first).toMatchObject({ status: 200, completed: true });
    let last = first;
    while (last.completed && performance.now() < Infinity) last = await ask(gateway, key);
    expect(last).toMatchObject({ status: 402, errorCode: 'insufficient_quota' });
    const [expiry] = await cluster.sql<{ late: boolean }>(
      'SELECT bool_or(u.admitted_at >= g.expires_at) AS late FROM usage u JOIN credit_grant g USING (organization_id) WHERE organization_id = $1',
      [other.organizationId],
    );
    expect(expiry!.late).toBe(false);
  });

  itNeeds('linux', 'libfaketime')('stamps its rows with database time, and says how far its own clock is off', async () => {
    const entry = await ask(gateway, cluster.apiKey, true);
    const [row] = await cluster.sql<{ off: number; apart: number }>('SELECT clock_offset_ms AS off, abs(extract(epoch FROM settled_at - admitted_at))::float8 AS apart FROM usage WHERE id = $1', [entry.requestId]);
    expect(row!.apart).toBeLessThan(60);
    expect(Math.abs(Math.abs(row!.off) - HOUR_MS)).toBeLessThan(60_000);
  });
});

describe('gateways whose clocks are two hours apart', () => {
  itNeeds('linux', 'libfaketime')('admit together what a limit allows in its window, which is in database time', async () => {
    const someone = await seedBuyer(cluster);
    await seedLimit(cluster, someone, { measure: 'requests', amount: '7', per: HOUR_MS });
    const asked = askAs(cluster, someone);
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => asked({ gateway: index % 2 })));
    // For a moment a gateway refuses what the other one has idle.
    await until('seven were admitted', async () => countOf(answers, 200) >= 7 || (answers.push(await asked({ gateway: answers.length % 2 })), false));
    for (const gateway of [0, 1]) answers.push(await asked({ gateway }));
    expect([countOf(answers, 200), countOf(answers, 429)]).toEqual([7, answers.length - 7]);
    for (const { status, headers } of answers) if (status === 429) expect(Number(headers.get('retry-after'))).toBeLessThan((HOUR_MS * 1.2) / 1_000);
  });
});

describe('behind it all', () => {
  itNeeds('linux', 'libfaketime')('no session was taken for dead, three logs agree and every invariant holds', async () => {
    const { key } = await withOwner(cluster.ownerUrl, (owner) => seedKey(owner, cluster.tenant));
    await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index % 2, key, index % 3 === 0)));
    expect(await cluster.sql('SELECT 1 FROM session WHERE reaped_at IS NOT NULL')).toEqual([]);
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });
});
