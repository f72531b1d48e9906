import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/**
 * Every gateway in turn is asked to stop and replaced, under a load of streams that last for seconds. A client does what a
 * load balancer does: whom one gateway refuses asks another.
 */

const CONCURRENCY = 16;
/** Long enough that each drain meets streams in the middle, and of many lengths, so that they do not begin and end as one. */
const streamOf = (request: number): VendorScript => ({ outputTokens: 30 + ((request * 7) % 20), chunkDelayMs: 40 });
const SERVED_MS_MAX = 30_000;
const RUN_MS_MAX = 180_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ gateways: 2, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['1', '100'] });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

const streamsSettledBy = async (pid: number): Promise<number> => {
  const [row] = await cluster.sql<{ count: string }>("SELECT count(*) FROM usage u JOIN session s ON s.id = u.session_id WHERE s.pid = $1 AND u.outcome = 'completed'", [pid]);
  return Number(row!.count);
};

const streamsOpenAt = async (pid: number): Promise<number> => {
  const [row] = await cluster.sql<{ count: string }>('SELECT count(*) FROM open_request o JOIN session s ON s.id = o.session_id WHERE s.pid = $1', [pid]);
  return Number(row!.count);
};

/** It was told to go elsewhere before anything of its answer came. */
const isSentElsewhere = ({ status, errorCode, chunks }: ClientLogEntry): boolean => chunks === 0 && (status === null || (status === 503 && errorCode === 'server_draining'));

describe('gateways that are replaced one after the other', () => {
  it('lose no stream, while old and new serve together', async () => {
    // Half of the clients begin at each gateway.
    const loads = [cluster.gatewayUrls, cluster.gatewayUrls.toReversed()].map((baseUrls) =>
      startLoad(client, { baseUrls, apiKey: cluster.apiKey, concurrency: CONCURRENCY / 2, script: streamOf, streams: () => true }),
    );
    const drained: number[] = [];
    for (const gateway of cluster.gateways) {
      const { pid } = gateway;
      await until('it has served streams', async () => (await streamsSettledBy(pid)) > CONCURRENCY / 2, SERVED_MS_MAX);
      await until('streams are in the middle there', async () => (await streamsOpenAt(pid)) > 0, SERVED_MS_MAX);
      gateway.signal('SIGTERM');
      drained.push(pid);
      expect(await gateway.untilExit()).toEqual({ code: 0, signal: null });
      await gateway.start();
      await until('its successor serves beside the other', async () => (await streamsSettledBy(gateway.pid)) > 0, SERVED_MS_MAX);
    }
    await Promise.all(loads.map((load) => load.stop()));

    // Each drain ended its session itself.
    expect(await cluster.sql('SELECT pid FROM session WHERE pid = ANY ($1) AND reaped_at IS NULL', [drained])).toEqual([]);
    expect(await cluster.sql("SELECT 1 FROM usage WHERE outcome <> 'completed'")).toEqual([]);

    const others = client.entries.filter(({ completed }) => !completed);
    expect(others.filter((entry) => !isSentElsewhere(entry))).toEqual([]);
    const dispatched = new Set(vendor.log().map(({ label }) => label));
    expect(others.filter(({ label }) => dispatched.has(label))).toEqual([]);
    expect(client.completed().length).toBeGreaterThan(CONCURRENCY * 2);
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  }, RUN_MS_MAX);
});
