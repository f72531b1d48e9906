import { ClientLog } from './client-log.js';
import { startLoad } from './client-load.js';
import { startCluster } from './cluster.js';
import { findViolations, type Violation } from './invariants.js';
import { expectLogsAgree } from './invariants-logs.js';
import { createPrivatePostgres } from './private-postgres.js';
import { startRunningClock } from './running-clock.js';
import { SeededRandom } from './seeded-random.js';
import { causeFault, partOf, reviveProcess, type SoakWorld } from './soak-faults.js';
import { planSoak, type SoakStep } from './soak-plan.js';
import { until } from './until.js';
import { startVendor, type Vendor } from './vendor.js';
import type { VendorScript } from './vendor-script.js';

/**
 * Real gateways, metering and Postgres under load and one fault after the other; every invariant after each, and at the
 * end the three logs and the books. What a seed plans it plans again, so a failure can be looked for with its seed.
 */

export interface SoakOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Told of each fault and each failure as it comes: a soak is long. */
  readonly say: (line: string) => void;
}

export interface SoakReport {
  readonly faults: number;
  /** Between the beginnings of two neighbouring faults. */
  readonly gapMsMax: number;
  readonly requests: number;
  readonly completed: number;
  readonly agreed: number;
  /** What went wrong, in words. */
  readonly problems: readonly string[];
}

const gatewayCount = 2;
const vendorCount = 2;
const concurrency = 10;
const sessionTtlMs = 3_000;
const checkMsMax = 45_000;
const aliveCheckMs = 250;
/** Faults of one part wait for each other; when none has begun for so long, clients leave meanwhile. */
const quietMsMax = 3_500;
const quietCheckMs = 500;
const problemsMax = 20;
const problemLengthMax = 2_000;
/** A vendor that counts wrongly is kept in quarantine for whoever talks to it; no other reason may stand there. */
const quarantine = { quarantineExpected: true };

/** Short answers of both modes, and some that are long enough to be opened and checkpointed. */
const scriptsOf = (seed: number): ((request: number) => VendorScript) => {
  const random = new SeededRandom(seed);
  return () => (random.chance(0.2) ? { outputTokens: random.between(25, 50), chunkDelayMs: 40 } : { outputTokens: random.between(3, 12), chunkDelayMs: random.between(1, 10) });
};

export const soak = async (options: SoakOptions): Promise<SoakReport> => {
  const ending: (() => Promise<void>)[] = [];
  try {
    return await soakWorld(await startWorld(ending), options);
  } finally {
    for (const end of ending.reverse()) await end();
  }
};

/** Whatever has begun is in `ending`, also when something after it fails to begin. */
const startWorld = async (ending: (() => Promise<void>)[]): Promise<SoakWorld> => {
  const vendors: Vendor[] = [];
  for (let index = 0; index < vendorCount; index += 1) {
    const vendor = await startVendor();
    ending.push(async () => vendor.close());
    vendors.push(vendor);
  }
  const postgres = await createPrivatePostgres();
  ending.push(async () => postgres.remove());
  const cluster = await startCluster({
    postgres,
    gateways: gatewayCount,
    proxied: true,
    models: [{ model: 'mock', lanes: vendors.map(({ baseUrl }) => ({ baseUrl, timeouts: { firstByteMs: 10_000, idleMs: 10_000 } })) }],
    grants: ['0.01', '1000'],
    env: { SESSION_TTL_MS: String(sessionTtlMs), CHECKPOINT_MS: '300', IDLE_LEASE_MS: '500', SNAPSHOT_AGE_MS_MAX: '1000', FLOOR_WAIT_MS: '2000' },
  });
  ending.push(async () => cluster.stop());
  const client = new ClientLog('soak');
  ending.push(async () => client.close());
  return { cluster, postgres, vendors, client, deaths: 0 };
};

const soakWorld = async (world: SoakWorld, { seed, durationMs, say }: SoakOptions): Promise<SoakReport> => {
  const { cluster, client, vendors } = world;
  const problems: string[] = [];
  const report = (problem: string): void => {
    const cut = problem.slice(0, problemLengthMax);
    say(`  ! ${cut}`);
    if (problems.length < problemsMax) problems.push(cut);
  };
  const load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency, script: scriptsOf(seed) });
  const { faults, gapMsMax } = await runPlan(world, planSoak(seed, durationMs, gatewayCount), say, report);
  await load.stop();
  say('  the load has ended; the books are compared');
  await cluster.expectSettled(quarantine).catch((error: Error) => report(error.message));
  const quarantined = await cluster.sql<{ reason: string }>("SELECT DISTINCT reason FROM usage_quarantine WHERE reason <> 'vendor_usage'");
  for (const { reason } of quarantined) report(`usage was put into quarantine: ${reason}`);
  // What was in flight at a gateway when it died may be known to its vendor alone.
  const logs = { client: client.entries, vendor: vendors.flatMap((vendor) => vendor.log()) };
  const agreement = await expectLogsAgree(cluster.ownerUrl, logs, { vendorOnlyMax: world.deaths * concurrency }).catch((error: Error) => report(error.message));
  for (const violation of vendors.flatMap((vendor) => vendor.violations())) report(`a vendor saw what it must not: ${violation}`);
  if (problems.length > 0) say(cluster.logs());
  return { faults, gapMsMax, requests: client.entries.length, completed: client.completed().length, agreed: agreement?.agreed ?? 0, problems };
};

const runPlan = async (world: SoakWorld, steps: readonly SoakStep[], say: SoakOptions['say'], report: (problem: string) => void) => {
  const startedAtMs = performance.now();
  const begunAtMs: number[] = [];
  const clock = startRunningClock();
  const beginnings: Beginnings = {
    mark: () => void begunAtMs.push(clock.nowMs()),
    quietMs: () => (begunAtMs.length === 0 ? 0 : clock.nowMs() - begunAtMs.at(-1)!),
  };
  const parts = new Map<string, Promise<void>>();
  const filling = fillQuiet(world, steps[0]!, beginnings, report);
  for (const step of steps) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, step.atMs - (performance.now() - startedAtMs))));
    const part = partOf(step);
    const previous = parts.get(part) ?? Promise.resolve();
    parts.set(part, previous.then(async () => runStep(world, step, startedAtMs, beginnings, say)).catch((error: Error) => report(`${step.fault} (target ${step.target}): ${error.message}`)));
  }
  await Promise.all(parts.values());
  await filling.stop();
  clock.stop();
  await reviveAll(world);
  begunAtMs.sort((one, other) => one - other);
  const gapMsMax = Math.max(0, ...begunAtMs.slice(1).map((atMs, index) => atMs - begunAtMs[index]!));
  return { faults: begunAtMs.length, gapMsMax };
};

/** When faults began, and for how long none has. */
interface Beginnings {
  mark(): void;
  quietMs(): number;
}

/** Whatever else is slow: a fault begins at least every five seconds. */
const fillQuiet = (world: SoakWorld, step: SoakStep, beginnings: Beginnings, report: (problem: string) => void): { stop(): Promise<void> } => {
  const fills: Promise<void>[] = [];
  const timer = setInterval(() => {
    if (beginnings.quietMs() < quietMsMax) return;
    beginnings.mark();
    fills.push(causeFault(world, { ...step, fault: 'clients leave' }).catch((error: Error) => report(`clients leave: ${error.message}`)));
  }, quietCheckMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(fills);
    },
  };
};

const runStep = async (world: SoakWorld, step: SoakStep, startedAtMs: number, beginnings: Beginnings, say: SoakOptions['say']): Promise<void> => {
  beginnings.mark();
  say(`  ${((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(6)} s  ${step.fault} (${step.target}), ${world.client.completed().length} answers`);
  // Another fault may have ended the process that this one is about: it is there again before.
  const gateway = world.cluster.gateways[step.target]!;
  if (partOf(step).startsWith('gateway') && gateway.hasEnded()) await reviveProcess(world, gateway);
  await causeFault(world, step);
  const violations = await checkLive(world);
  if (violations.length > 0) throw new Error(violations.map(({ invariant, says, detail }) => `${invariant}: ${says}: ${detail}`).join('; '));
};

/** In one snapshot, beside the load; while Postgres is away the check waits for it. */
const checkLive = async ({ cluster }: SoakWorld): Promise<Violation[]> => {
  let found: Violation[] = [];
  await until(
    'the invariants can be checked',
    async () => {
      try {
        found = await findViolations(cluster.ownerUrl, quarantine);
        return true;
      } catch (error) {
        // The fault of another part may have taken the connection: 08 and 57 are Postgres being away, and so is no connection.
        if (/terminat|ECONN|connect|starting up|shutting down|recovery/i.test(String(error))) return false;
        throw error;
      }
    },
    checkMsMax,
  );
  return found;
};

const reviveAll = async (world: SoakWorld): Promise<void> => {
  for (const proxy of world.cluster.proxies) proxy.heal();
  for (const process of [...world.cluster.gateways, world.cluster.metering!]) {
    if (process.hasEnded()) await reviveProcess(world, process);
    await until(`${process.name} is ready`, async () => process.isReady(), checkMsMax);
    await new Promise((resolve) => setTimeout(resolve, aliveCheckMs));
  }
};
