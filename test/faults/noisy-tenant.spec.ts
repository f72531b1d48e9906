import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { seedBuyer, seedLimit, type Buyer } from '../support/limits.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { measureRounds, measureSets, medianRatio, percentile, type Round } from '../support/rounds.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * One tenant that asks for far more than it may, without pause, against a hundred that ask now and then. The objective of
 * the hundred is relative: their p99 with the noisy one is at most half as much again as without it, in the same run.
 */

const TENANTS = 100;
const REQUESTS_PER_TENANT = 3;
/** The hundred begin spread over so long, so that their own crowd is not what is measured. */
const SPREAD_MS = 2_500;
const ANSWER_MS = 500;
const NOISY_CLIENTS = 24;
const NOISY_PAUSE_MS = 200;
const NOISY_CONCURRENCY_MAX = 4;
const ROUNDS = 5;
const P99_RATIO_MAX = 1.5;
const RUN_MS_MAX = 500_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
let noise: ClientLog;
let quiet: Buyer[];
let noisy: Buyer;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }] });
  quiet = [];
  for (let tenant = 0; tenant < TENANTS; tenant += 1) quiet.push(await seedBuyer(cluster));
  noisy = await seedBuyer(cluster);
  await seedLimit(cluster, noisy, { measure: 'concurrency', amount: String(NOISY_CONCURRENCY_MAX) });
  client = new ClientLog('quiet');
  noise = new ClientLog('noisy');
});
afterAll(async () => {
  await client?.close();
  await noise?.close();
  await cluster?.stop();
  await vendor?.close();
});

const baseUrl = (): string => cluster.gatewayUrls[0]!;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the slowest hundredth of the hundred's requests took, in milliseconds. */
const p99OfTheOthers = async (): Promise<number> => {
  const before = client.entries.length;
  await Promise.all(
    quiet.map(async ({ keys }, tenant) => {
      await pause((SPREAD_MS * tenant) / TENANTS);
      for (let request = 0; request < REQUESTS_PER_TENANT; request += 1) {
        await client.chat({ baseUrl: baseUrl(), apiKey: keys[0]!.key, stream: tenant % 2 === 0, script: { outputTokens: 3, firstByteDelayMs: ANSWER_MS } });
      }
    }),
  );
  return percentile(client.entries.slice(before).map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs), 0.99);
};

const underNoise = async (measure: () => Promise<number>): Promise<number> => {
  let stopping = false;
  const work = async (): Promise<void> => {
    while (!stopping) {
      const { completed } = await noise.chat({ baseUrl: baseUrl(), apiKey: noisy.keys[0]!.key, script: { outputTokens: 3, firstByteDelayMs: ANSWER_MS } });
      if (!completed) await pause(NOISY_PAUSE_MS);
    }
  };
  const workers = Array.from({ length: NOISY_CLIENTS }, work);
  const measured = await measure();
  stopping = true;
  await Promise.all(workers);
  return measured;
};

describe('one tenant against a hundred', () => {
  it(`does not slow the others' p99 beyond ${P99_RATIO_MAX} times what it is without it, and has its own share`, async () => {
    await p99OfTheOthers();
    const isWithin = (rounds: readonly Round[]): boolean => medianRatio(rounds) <= P99_RATIO_MAX;
    const { last: rounds } = await measureSets(isWithin, () => measureRounds(ROUNDS, p99OfTheOthers, () => underNoise(p99OfTheOthers)));
    expect({ rounds, isWithin: isWithin(rounds) }).toEqual({ rounds, isWithin: true });
    expect(client.entries.filter(({ completed }) => !completed)).toEqual([]);
    // It was noisy indeed: refused far more often than it was served, by its own limit and nothing else.
    const refused = noise.entries.filter(({ completed }) => !completed);
    expect(new Set(refused.map(({ status, errorCode }) => `${status} ${errorCode}`))).toEqual(new Set(['429 rate_limit_exceeded']));
    expect(refused.length).toBeGreaterThan(noise.completed().length);
    expect(noise.completed().length).toBeGreaterThan(NOISY_CONCURRENCY_MAX);

    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: [...client.entries, ...noise.entries], vendor: vendor.log() });
  }, RUN_MS_MAX);
});
