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

interface Kill {
  readonly place: string;
  readonly failpoint: string;
  readonly faults: VendorScript;
  readonly retry: Retry;
}

const kills: readonly Kill[] = [
  { place: 'between claim and hold', failpoint: 'after_claim', faults: {}, retry: 'served' },
  { place: 'between hold and dispatch', failpoint: 'after_hold', faults: {}, retry: 'served' },
  { place: 'at the first byte', failpoint: 'first_byte', faults: {}, retry: 'served' },
  { place: 'at a checkpoint', failpoint: 'checkpoint', faults: { outputTokens: 60, chunkDelayMs: 50 }, retry: 'failed' },
  { place: 'before its commit', failpoint: 'before_commit', faults: {}, retry: 'served' },
  { place: 'after its commit', failpoint: 'after_commit', faults: {}, retry: 'completed' },
  { place: 'before the end of its answer', failpoint: 'before_terminal', faults: {}, retry: 'completed' },
];
/** Each kill has a gateway of its own, so that all sessions are reaped in one wait; retries come to one more. */
const survivor = kills.length;

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    gateways: kills.length + 1,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['100'],
    env: { SESSION_TTL_MS: '5000', IDLE_LEASE_MS: '500' },
    // Only the request that is to die at a checkpoint may have one, however slow the machine is: a reaper bills what was checkpointed.
    gatewayEnv: kills.map(({ failpoint }) => ({ KILOTOKEN_FAILPOINT: failpoint, CHECKPOINT_MS: failpoint === 'checkpoint' ? '300' : '60000' })),
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

const asked = kills.map(({ faults }) => ({ key: randomUUID(), script: { outputTokens: TOKENS, ...faults, label: randomUUID() } }));

describe('a gateway that is killed with a key in its hands', () => {
  beforeAll(async () => {
    await Promise.all(
      asked.map(async ({ key, script }, index) => {
        const doomed = cluster.gateways[index]!;
        const { pid } = doomed;
        expect(await ask(index, key, script)).toEqual({ status: null });
        expect(await doomed.untilExit(ANSWER_MS_MAX)).toEqual({ code: null, signal: 'SIGKILL' });
        await cluster.untilReaped(pid);
      }),
    );
  });

  it.each(kills.map(({ place, retry }, index) => [place, index, retry] as const))('%s leaves it to be served once or to name its charge', async (_, index, expected) => {
    const { key, script } = asked[index]!;
    const retries = await Promise.all([ask(survivor, key, script), ask(survivor, key, script)]);
    const billed = await until('the served request is billed', async () => {
      const rows = await usageOf(script.label);
      return rows.length > 0 && rows;
    });
    expect(billed).toHaveLength(1);
    const [bill] = billed;
    const statuses = retries.map(({ status }) => status).sort();
    expect(statuses).toEqual(expected === 'served' ? [200, 409] : [409, 409]);
    if (expected !== 'served') {
      for (const { error } of retries) expect(error!.generation).toMatchObject({ id: bill!.id, status: expected, cost: bill!.charge });
    }
    // A later retry is told the one generation that was billed.
    expect(await ask(survivor, key, script)).toMatchObject({ status: 409, error: { code: 'idempotency_conflict', generation: { id: bill!.id, cost: bill!.charge } } });
  });

  it('leaves books that hold', async () => {
    await cluster.expectSettled();
  });
});
