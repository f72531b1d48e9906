import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { measureRounds, measureSets, medianRatio, percentile, type Round } from '../support/rounds.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * Clients that ignore Retry-After and ask for three times what a gateway can serve. Capacity is measured in the same run:
 * what the gateway serves when exactly as many ask as it has places.
 */

const PLACES = 20;
/** How long an answer takes, and how long a refused client waits: 3 × PLACES clients then ask for three times the capacity. */
const ANSWER_MS = 250;
const ROUND_MS = 4_000;
const ROUNDS = 3;
const GOODPUT_MIN = 0.8;
const RUN_MS_MAX = 300_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['100'],
    env: { RUNNING_REQUESTS_MAX: String(PLACES) },
  });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

/** Answers a second that so many clients got. */
const goodputOf = async (clients: number): Promise<number> => {
  const startedMs = performance.now();
  const endMs = startedMs + ROUND_MS;
  let answered = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const entry = await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, script: { outputTokens: 1, firstByteDelayMs: ANSWER_MS } });
      if (entry.completed) answered += 1;
      else await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
  return (answered * 1_000) / (performance.now() - startedMs);
};

describe('a gateway at three times its capacity', () => {
  it(`serves at least ${GOODPUT_MIN * 100} % of its capacity, and refuses the rest at once, undispatched and unbilled`, async () => {
    await goodputOf(PLACES);
    const isEnough = (rounds: readonly Round[]): boolean => medianRatio(rounds) >= GOODPUT_MIN;
    const { last: rounds, all } = await measureSets(isEnough, () => measureRounds(ROUNDS, () => goodputOf(PLACES), () => goodputOf(3 * PLACES)));
    const refused = client.entries.filter(({ completed }) => !completed);
    // Nothing but capacity was in the way, and it was really exceeded.
    expect(new Set(refused.map(({ status, errorCode }) => `${status} ${errorCode}`))).toEqual(new Set(['503 service_unavailable']));
    const servedMeanwhile = all.reduce((sum, round) => sum + (round.with * ROUND_MS) / 1_000, 0);
    expect(refused.length).toBeGreaterThan(servedMeanwhile * 1.5);
    expect({ rounds, isEnough: isEnough(rounds) }).toEqual({ rounds, isEnough: true });
    // A refusal is cheap: it waits for nothing that an answer waits for.
    const refusedMs = refused.map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs);
    expect(percentile(refusedMs, 0.5)).toBeLessThan(ANSWER_MS / 2);

    await cluster.expectSettled();
    const { agreed } = await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
    expect(vendor.log()).toHaveLength(agreed);
  }, RUN_MS_MAX);
});
