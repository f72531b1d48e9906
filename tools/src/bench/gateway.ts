import { z } from 'zod';
import { startBenchProcess, type BenchProcess } from './child.js';
import { measureHeap, type HeapReport } from './heap.js';
import { startInstallation, type Installation } from './installation.js';
import { readGatewayBenchOptions, type GatewayBenchOptions, type Mode } from './options.js';
import { measureOrganizations, type OrganizationsReport } from './organizations.js';
import type { ProfileSummary } from './profile.js';
import { profileRound } from './profile-run.js';
import { compare, comparisonLines, heading, type Comparison } from './report.js';
import { gatewaySide, proxySide, runPair, runRound, type Pair, type RoundOrder, type Side } from './rounds.js';
import { runMeasurement, type BenchRun } from './run.js';

/**
 * npm run bench: compares a gateway with everything on with the least possible proxy on the same stack. Both stand before
 * one vendor, and their rounds alternate. It prints ratios and never fails on a time.
 */
interface Bench {
  readonly options: GatewayBenchOptions;
  readonly installation: Installation;
  readonly load: BenchProcess;
  readonly gateway: Side;
  readonly proxy: Side;
  readonly say: BenchRun['say'];
}

interface Report {
  readonly durability: Installation['durability'];
  readonly comparisons: Comparison[];
  readonly profiles: (ProfileSummary & { mode: Mode; connections: number })[];
  readonly heap: HeapReport | null;
  readonly organizations: OrganizationsReport | null;
}

const readySchema = z.object({ port: z.number().int().positive() });
/** The warm-up before rounds of the same mode with another number of connections. */
const settleMs = 2_000;

export const runBench = async (args: string[]): Promise<void> => {
  const options = readGatewayBenchOptions(args);
  await runMeasurement(options.json, async (run) => measure(await prepare(options, run)));
};

const prepare = async (options: GatewayBenchOptions, { say, cleanup }: BenchRun): Promise<Bench> => {
  const start = async (name: string, args: string[] = []): Promise<BenchProcess> => {
    const started = await startBenchProcess(name, args);
    cleanup.push(started.stop);
    return started;
  };
  const originOf = ({ ready }: BenchProcess): string => `http://127.0.0.1:${readySchema.parse(ready).port}`;
  const vendor = await start('vendor');
  const vendorOrigin = originOf(vendor);
  const proxy = await start('proxy', [vendorOrigin]);
  const load = await start('load');
  const collector = options.tracing ? await start('collector') : null;
  if (options.organizations > 0) say(`storing ${options.organizations} organizations`);
  const tracing: Record<string, string> = collector ? { OTEL_EXPORTER_OTLP_ENDPOINT: originOf(collector) } : {};
  const installation = await startInstallation(
    {
      vendorOrigin,
      organizations: options.organizations,
      limited: options.limits,
      inspected: options.heap || options.profile !== null,
      settings: { ...tracing, ...options.set },
      postgres: options.postgres,
    },
    cleanup,
  );
  say(`application role and durability: ${Object.entries(installation.durability).map(([name, value]) => `${name} ${value}`).join(', ')}`);
  return { options, installation, load, gateway: gatewaySide(installation, load, vendor), proxy: proxySide(originOf(proxy), proxy, load, vendor), say };
};

const measure = async (bench: Bench): Promise<Report> => {
  const { options, installation, load, gateway, say } = bench;
  const report: Report = {
    durability: installation.durability,
    comparisons: options.compare ? await compareAll(bench) : [],
    profiles: options.profile === null ? [] : await profileAll(bench, options.profile),
    organizations: options.organizations > 0 ? await measureOrganizations({ installation, side: gateway, load, options, say }) : null,
    heap: options.heap ? await measureHeap({ installation, side: gateway, load, connections: options.connections[0]!, say }) : null,
  };
  return report;
};

/** The rounds of one mode and number of connections. */
const orders = ({ options, installation }: Bench): RoundOrder[] =>
  options.modes.flatMap((mode) => options.connections.map((connections) => ({ mode, connections, durationMs: options.seconds * 1_000, keys: [installation.key] })));

/** Warms up, so that the first round of a mode runs as warm as the last one. */
const warmUpMs = ({ connections }: RoundOrder, { connections: [first], warmUpSeconds }: GatewayBenchOptions): number => (connections === first ? warmUpSeconds * 1_000 : settleMs);

const compareAll = async (bench: Bench): Promise<Comparison[]> => {
  const { options, load, gateway, proxy, say } = bench;
  const onRejected = (reason: string): void => say(`a round did not count: ${reason}`);
  const comparisons: Comparison[] = [];
  say(`\n${heading}`);
  for (const order of orders(bench)) {
    const warmUp = { ...order, durationMs: warmUpMs(order, options) };
    await runRound(proxy, load, warmUp, onRejected);
    await runRound(gateway, load, warmUp, onRejected);
    const pairs: Pair[] = [];
    for (let number = 0; number < options.rounds; number += 1) pairs.push(await runPair({ gateway, proxy }, load, order, number, onRejected));
    const comparison = compare(order.mode, order.connections, pairs);
    comparisons.push(comparison);
    comparisonLines(comparison).forEach(say);
  }
  return comparisons;
};

/** Profiles run in their own rounds, since a profiled gateway is slower. */
const profileAll = async (bench: Bench, folder: string): Promise<Report['profiles']> => {
  const { options, installation, load, gateway, say } = bench;
  const profiling = { inspector: installation.inspector!, folder, process: 'gateway', say };
  const profiles: Report['profiles'] = [];
  for (const order of orders(bench)) {
    const { mode, connections } = order;
    await runRound(gateway, load, { ...order, durationMs: warmUpMs(order, options) }, say);
    const place = { label: `${mode}, ${connections} connections`, file: `${mode}-${connections}` };
    profiles.push({ mode, connections, ...(await profileRound(profiling, place, () => runRound(gateway, load, order, say))) });
  }
  return profiles;
};
