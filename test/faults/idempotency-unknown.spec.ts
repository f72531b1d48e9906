import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { instruct } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * A statement about a key that was executed and whose answer was lost: the gateway cannot know, so it refuses the request,
 * dispatches nothing, and gives back both the key and the money.
 */

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ proxied: true, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['10'] });
});
afterAll(async () => {
  await cluster?.expectSettled();
  await cluster?.stop();
  await vendor?.close();
});

const ask = async (key: string, label: string) => {
  const answer = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: instruct({ label, outputTokens: 2 }) }] }),
  });
  const body = (await answer.json()) as { error?: { code: string; generation?: { status: string } } };
  return { status: answer.status, retry: answer.headers.get('x-should-retry'), ...body };
};

const served = (label: string) => vendor.log().filter((entry) => entry.label === label);
const claimsOf = (key: string) => cluster.sql<{ request_id: string | null }>('SELECT request_id FROM idempotency_claim WHERE key = $1', [key]);

const heldNow = async (): Promise<string> => {
  const answer = await fetch(`${cluster.gatewayUrls[0]}/credits`, { headers: { authorization: `Bearer ${cluster.apiKey}` } });
  return ((await answer.json()) as { data: { held: string }[] }).data[0]!.held;
};

describe('an answer of the database that is lost', () => {
  it.each([
    ['to a claim', '"claimed" : true'],
    // The name of the column that idempotency_bind is read from.
    ["to the naming of a claim's request", 'bound'],
  ])('%s refuses the request and frees its key: the retry is served and charged once', async (_, pattern) => {
    const key = randomUUID();
    const label = randomUUID();
    const struck = cluster.proxies[0]!.cut({ direction: 'toClient', pattern, trigger: 'swallow', how: 'reset' });
    expect(await ask(key, label)).toMatchObject({ status: 503, retry: 'true', error: { code: 'service_unavailable' } });
    await struck;
    expect(served(label)).toEqual([]);
    await until('the key is free', async () => (await claimsOf(key)).length === 0);
    expect(await heldNow()).toBe('0');

    expect((await ask(key, label)).status).toBe(200);
    expect(await ask(key, label)).toMatchObject({ status: 409, error: { generation: { status: 'completed' } } });
    expect(served(label)).toHaveLength(1);
  });

  it('while the database stays away gives the key back when it returns', async () => {
    const key = randomUUID();
    const label = randomUUID();
    const [proxy] = cluster.proxies;
    const struck = proxy!.cut({ direction: 'toClient', pattern: 'bound', trigger: 'swallow', how: 'reset' });
    // Decided before: with the lost answer every connection breaks, and no new one is made.
    void struck.then(() => {
      proxy!.refuse(true);
      proxy!.resetAll();
    });
    expect(await ask(key, label)).toMatchObject({ status: 503 });
    await struck;
    const [claim] = await claimsOf(key);
    expect(claim).toMatchObject({ request_id: expect.any(String) });
    proxy!.refuse(false);
    await until('the key is free', async () => (await claimsOf(key)).length === 0, 20_000);
    await until('the retry is served', async () => (await ask(key, label)).status === 200, 20_000);
    expect(served(label)).toHaveLength(1);
  });
});
