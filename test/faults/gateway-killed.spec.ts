import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/**
 * A gateway that kills itself at each place where it matters, under load, beside one that goes on. Whatever was in doubt is
 * billed once, at most what was held; nothing that a client saw as complete is missing.
 */

const CONCURRENCY = 12;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
let kills = 0;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: 2,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['2', '100'],
    env: { SESSION_TTL_MS: '5000', CHECKPOINT_MS: '300', IDLE_LEASE_MS: '500' },
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

/** Short answers of both modes, and every fourth one long enough to be opened and checkpointed. */
const mixed = (request: number): VendorScript => (request % 4 === 0 ? { outputTokens: 45, chunkDelayMs: 40 } : { outputTokens: 5 + (request % 7), chunkDelayMs: 5 });

describe('a gateway that is killed', () => {
  it.each<[string, string]>([
    ['after a hold', 'after_hold:40'],
    ['after a request was opened', 'after_open:2'],
    ['at the first byte of an answer', 'first_byte:30'],
    ['at a checkpoint', 'checkpoint:4'],
    ['before a commit', 'before_commit:20'],
    ['after a commit', 'after_commit:20'],
    ['before the end of an answer', 'before_terminal:30'],
  ])('%s loses nothing and bills nothing twice', async (_, failpoint) => {
    const [doomed] = cluster.gateways;
    await doomed!.restart({ KILOTOKEN_FAILPOINT: failpoint });
    const { pid } = doomed!;
    const load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency: CONCURRENCY, script: mixed });
    expect(await doomed!.untilExit()).toEqual({ code: null, signal: 'SIGKILL' });
    // The other gateway goes on as if nothing had happened.
    const completedBefore = client.completed().length;
    await until('the other gateway has answered', () => client.completed().length > completedBefore + 5);
    await Promise.all([doomed!.start(), cluster.untilReaped(pid), load.stop()]);

    kills += 1;
    await cluster.expectSettled();
    // What the vendor had served and no row knows was in flight at one of the kills.
    const { agreed } = await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: kills * CONCURRENCY });
    expect(agreed).toBeGreaterThan(10);
    const reaped = await cluster.sql<{ status: number; charged: boolean }>("SELECT status, charge > 0 AS charged FROM usage u JOIN session s ON s.id = u.session_id WHERE s.pid = $1 AND u.flush = -1", [pid]);
    expect(reaped.every(({ status }) => status === 0)).toBe(true);
  });

  it('by somebody else while it idles gives back what it had leased', async () => {
    const [first] = cluster.gateways;
    expect(await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
    const { pid } = first!;
    await first!.kill('SIGKILL');
    await cluster.untilReaped(pid);
    await first!.start();
    await until('nothing is leased any more', async () => (await cluster.sql('SELECT 1 FROM credit_grant WHERE leased > 0')).length === 0);
    await cluster.expectSettled();
  });
});
