import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { instruct, type VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * A gateway that is killed while a request with an Idempotency-Key is on its way. When its session has been reaped, a retry
 * is either served, once, or told the generation and what was charged for it; never both, and never charged twice.
 */

const ANSWER_MS_MAX = 30_000;
const TOKENS = 6;

type Retry = 'served' | 'completed' | 'failed';

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: 2,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['100'],
    env: { SESSION_TTL_MS: '5000', CHECKPOINT_MS: '300', IDLE_LEASE_MS: '500' },
  });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

interface Answer {
  status: number | null;
  error?: { code: string; generation?: { id: string; status: string; cost: string } };
}

/** Never rejects: a killed gateway answers nothing, or half. */
const ask = async (gateway: number, key: string, script: VendorScript): Promise<Answer> => {
  try {
    const answer = await fetch(`${cluster.gatewayUrls[gateway]}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: instruct(script) }], stream: true }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const text = await answer.text();
    return { status: answer.status, ...(answer.status === 200 ? {} : (JSON.parse(text) as Pick<Answer, 'error'>)) };
  } catch {
    // Cut off: what became of it is what the test asks the database.
    return { status: null };
  }
};

const usageOf = (label: string) =>
  cluster.sql<{ id: string; outcome: string; charge: string }>(
    `SELECT id, outcome, trim_scale(charge)::text AS charge FROM usage WHERE charge > 0 AND (upstream_id = ANY ($1) OR id = ANY ($2))`,
    [served(label).map(({ id }) => id), served(label).flatMap(({ requestId }) => requestId ?? [])],
  );
const served = (label: string) => vendor.log().filter((entry) => entry.label === label);

describe('a gateway that is killed with a key in its hands', () => {
  it.each<[string, string, VendorScript, Retry]>([
    ['between claim and hold', 'after_claim', {}, 'served'],
    ['between hold and dispatch', 'after_hold', {}, 'served'],
    ['at the first byte', 'first_byte', {}, 'served'],
    ['at a checkpoint', 'checkpoint', { outputTokens: 60, chunkDelayMs: 50 }, 'failed'],
    ['before its commit', 'before_commit', {}, 'served'],
    ['after its commit', 'after_commit', {}, 'completed'],
    ['before the end of its answer', 'before_terminal', {}, 'completed'],
  ])('%s leaves it to be served once or to name its charge', async (_, failpoint, faults, expected) => {
    const key = randomUUID();
    const label = randomUUID();
    const script = { outputTokens: TOKENS, ...faults, label };
    const [doomed] = cluster.gateways;
    await doomed!.restart({ KILOTOKEN_FAILPOINT: failpoint });
    const { pid } = doomed!;
    expect(await ask(0, key, script)).toEqual({ status: null });
    expect(await doomed!.untilExit(ANSWER_MS_MAX)).toEqual({ code: null, signal: 'SIGKILL' });
    await cluster.untilReaped(pid);

    const retries = await Promise.all([ask(1, key, script), ask(1, key, script)]);
    const billed = await until('what was served is billed', async () => {
      const rows = await usageOf(label);
      return rows.length > 0 && rows;
    });
    expect(billed).toHaveLength(1);
    const [bill] = billed;
    const statuses = retries.map(({ status }) => status).sort();
    expect(statuses).toEqual(expected === 'served' ? [200, 409] : [409, 409]);
    if (expected !== 'served') {
      for (const { error } of retries) expect(error!.generation).toMatchObject({ id: bill!.id, status: expected, cost: bill!.charge });
    }
    // Whoever comes last is told the one generation that was billed.
    expect(await ask(1, key, script)).toMatchObject({ status: 409, error: { code: 'idempotency_conflict', generation: { id: bill!.id, cost: bill!.charge } } });
    await doomed!.start();
    await cluster.expectSettled();
  });
});
