import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/**
 * Gateways that kill themselves, one at each place where it matters, under load, beside one that goes on. Whatever was in doubt is
 * billed once, at most what was held; nothing that a client saw as complete is missing. All are killed in one round, so that
 * their sessions are reaped in one wait.
 */

const CONCURRENCY = 6;

const kills = [
  { place: 'after a hold', failpoint: 'after_hold:40' },
  { place: 'after a request was opened', failpoint: 'after_open:2' },
  { place: 'at the first byte of an answer', failpoint: 'first_byte:30' },
  { place: 'at a checkpoint', failpoint: 'checkpoint:4' },
  { place: 'before a commit', failpoint: 'before_commit:20' },
  { place: 'after a commit', failpoint: 'after_commit:20' },
  { place: 'before the end of an answer', failpoint: 'before_terminal:30' },
];

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: 1 + kills.length,
    gatewayEnv: [{}, ...kills.map(({ failpoint }) => ({ KILOTOKEN_FAILPOINT: failpoint }))],
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

/** The number of the gateway that goes on. */
const goingOn = 0;

describe('gateways that are killed', () => {
  /** Load through the doomed gateway and the one that goes on, until the first is reaped. Answers the pid of the killed process. */
  const killUnderLoad = async (index: number): Promise<number> => {
    const doomed = cluster.gateways[index]!;
    const { pid } = doomed;
    const load = startLoad(client, { baseUrls: [cluster.gatewayUrls[index]!, cluster.gatewayUrls[goingOn]!], apiKey: cluster.apiKey, concurrency: CONCURRENCY, script: mixed });
    expect(await doomed.untilExit()).toEqual({ code: null, signal: 'SIGKILL' });
    // The other gateway goes on as if nothing had happened.
    const completedBefore = client.completed().length;
    await until('the other gateway has answered', () => client.completed().length > completedBefore + 5);
    await cluster.untilReaped(pid);
    await load.stop();
    return pid;
  };

  it(`lose nothing and bill nothing twice, wherever they are killed: ${kills.map(({ place }) => place).join(', ')}`, async () => {
    const pids = await Promise.all(kills.map((_, index) => killUnderLoad(1 + index)));
    await cluster.expectSettled();
    // What the vendor had served and no row knows was in flight at one of the kills.
    const { agreed } = await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: kills.length * CONCURRENCY });
    expect(agreed).toBeGreaterThan(10 * kills.length);
    const reaped = await cluster.sql<{ status: number }>('SELECT status FROM usage u JOIN session s ON s.id = u.session_id WHERE s.pid = ANY ($1) AND u.flush = -1', [pids]);
    expect(reaped.every(({ status }) => status === 0)).toBe(true);
  });

  it('come back, under the load of others, and serve', async () => {
    const returning = cluster.gateways[1]!;
    const load = startLoad(client, { baseUrls: cluster.gatewayUrls.slice(0, 2), apiKey: cluster.apiKey, concurrency: CONCURRENCY, script: mixed });
    await returning.start({ KILOTOKEN_FAILPOINT: '' });
    expect(await client.chat({ baseUrl: cluster.gatewayUrls[1]!, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
    await load.stop();
    await cluster.expectSettled();
    expect((await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: kills.length * CONCURRENCY })).agreed).toBeGreaterThan(0);
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
