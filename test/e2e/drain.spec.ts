import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** SIGTERM: what runs ends well, what comes is sent elsewhere, what was leased is returned. */

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['1'] });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

describe('a gateway that is asked to stop', () => {
  it('finishes its streams, refuses new requests with 503, returns its leases and ends', async () => {
    const [gateway] = cluster.gateways;
    const ask = (script: object, stream: boolean) => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream, script });
    const running = [ask({ outputTokens: 40, waitAfterChunks: 10 }, true), ask({ outputTokens: 3, waitAfterChunks: 0 }, false)];
    await until('both run', () => vendor.waiting() === 2 && client.entries[0]!.chunks > 2);
    gateway!.signal('SIGTERM');
    // Connections that are there are still heard; that is where a load balancer's next request comes from.
    const refused = await until('a new request is refused', async () => {
      const entry = await ask({}, false);
      return entry.status !== 200 && entry;
    });
    if (refused.status !== null) expect(refused).toMatchObject({ status: 503, errorCode: 'server_draining' });
    vendor.letGo();
    expect(await Promise.all(running)).toMatchObject([{ completed: true, chunks: 40 }, { completed: true }]);
    expect(await gateway!.untilExit()).toEqual({ code: 0, signal: null });

    expect(await cluster.sql('SELECT 1 FROM lease WHERE closed_at IS NULL')).toEqual([]);
    const [grant] = await cluster.sql<{ leased: string }>('SELECT trim_scale(leased)::text AS leased FROM credit_grant');
    expect(grant!.leased).toBe('0');
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });

  it('that is started again serves at once', async () => {
    await cluster.gateways[0]!.start();
    expect(await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
    await cluster.expectSettled();
  });
});

describe('metering that is asked to stop', () => {
  it('leaves nothing half rated: another one goes on where it ended', async () => {
    await Promise.all(Array.from({ length: 60 }, () => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })));
    expect(await cluster.metering!.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await Promise.all(Array.from({ length: 20 }, () => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })));
    expect(await cluster.sql('SELECT 1 FROM unrated_batch')).not.toEqual([]);
    await cluster.metering!.start();
    await cluster.expectSettled();
  });

  it('or is killed while it rates: each flush is posted once', async () => {
    const load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency: 8, script: () => ({ outputTokens: 2 }) });
    for (let round = 0; round < 3; round += 1) {
      await until('there is something to rate', async () => (await cluster.sql('SELECT 1 FROM unrated_batch LIMIT 1')).length > 0);
      await cluster.metering!.restart();
    }
    await load.stop();
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });
});
