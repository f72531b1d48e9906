import type pg from 'pg';
import type { BenchProcess } from './child.js';
import type { Installation } from './installation.js';
import { loadResult, type LoadOrder, type LoadResult } from './load-order.js';
import { readCpuMicroseconds, readResidentBytes } from './process-usage.js';

/** Rounds of load. A round counts without a single failed request and with every row rated soon after. */
export interface Round extends LoadResult {
  /** Resident memory of the loaded side, at the round's end. */
  readonly residentBytes: number | null;
  /** Processor time a request, by process, rating included. */
  readonly cpuMicroseconds: Readonly<Record<string, number | null>>;
  /** The reason that the round does not count; null when it counts. */
  readonly rejected: string | null;
}

/** A round's target, and the processes whose time it measures. */
export interface Side {
  readonly origin: string;
  readonly pid: number;
  readonly pids: Readonly<Record<string, number>>;
  /** Null: this side stores no usage, so none has to be rated. */
  readonly owner: pg.Client | null;
}

/** The bounds of a round; the load's process reads the rest. */
export type RoundBounds = Pick<LoadOrder, 'connections' | 'durationMs'> & Partial<Pick<LoadOrder, 'requestsMax'>>;
export type RoundOrder = RoundBounds & Pick<LoadOrder, 'mode' | 'keys'>;

const ratedMsMax = 10_000;
const ratedPollMs = 100;
const answerMarginMs = 60_000;
/** A failed round is repeated: a moment's disturbance of the machine must not spoil an hour. */
const attemptsMax = 3;

export const gatewaySide = ({ gateway, metering, postgresPid, owner }: Installation, load: BenchProcess, vendor: BenchProcess): Side => ({
  origin: gateway.origin,
  pid: gateway.pid,
  pids: { gateway: gateway.pid, postgres: postgresPid, metering: metering.pid, vendor: vendor.pid, load: load.pid },
  owner,
});

export const proxySide = (origin: string, proxy: BenchProcess, load: BenchProcess, vendor: BenchProcess): Side => ({
  origin,
  pid: proxy.pid,
  pids: { proxy: proxy.pid, vendor: vendor.pid, load: load.pid },
  owner: null,
});

const readRatedRows = async (owner: pg.Client): Promise<bigint> => {
  const { rows } = await owner.query<{ rated: string }>('SELECT coalesce(sum(rows), 0)::text AS rated FROM rated_batch');
  return BigInt(rows[0]!.rated);
};

/** Waits until one row is rated for each answered request; null then, else the fault. */
const waitUntilRated = async (owner: pg.Client, expected: bigint): Promise<string | null> => {
  const deadline = performance.now() + ratedMsMax;
  let rated = await readRatedRows(owner);
  while (rated < expected && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, ratedPollMs));
    rated = await readRatedRows(owner);
  }
  if (rated === expected) return null;
  return rated < expected ? `${expected - rated} rows were not rated within ${ratedMsMax / 1_000} s` : `${rated - expected} rows more than requests`;
};

const readCpu = (side: Side): Map<string, number | null> => new Map(Object.entries(side.pids).map(([name, pid]) => [name, readCpuMicroseconds(pid)]));

const runOnce = async (side: Side, load: BenchProcess, order: RoundBounds): Promise<Round> => {
  const ratedBefore = side.owner ? await readRatedRows(side.owner) : 0n;
  const before = readCpu(side);
  const full = { requestsMax: Number.MAX_SAFE_INTEGER, ...order, origin: side.origin };
  const result = await load.ask(full, loadResult, order.durationMs + answerMarginMs);
  const residentBytes = readResidentBytes(side.pid);
  const unrated = side.owner ? await waitUntilRated(side.owner, ratedBefore + BigInt(result.requests - result.failures)) : null;
  const after = readCpu(side);
  const perRequest = [...before].map(([name, start]): [string, number | null] => {
    const end = after.get(name) ?? null;
    return [name, start === null || end === null ? null : Math.round((end - start) / result.requests)];
  });
  const failed = result.failures > 0 ? `${result.failures} requests failed: ${result.problems.join('; ')}` : null;
  return { ...result, residentBytes, cpuMicroseconds: Object.fromEntries(perRequest), rejected: failed ?? unrated };
};

/** Repeats a round until it counts; throws after the last attempt. */
export const runRound = async (side: Side, load: BenchProcess, order: RoundBounds, onRejected: (reason: string) => void): Promise<Round> => {
  for (let attempt = 1; ; attempt += 1) {
    const round = await runOnce(side, load, order);
    if (round.rejected === null) return round;
    onRejected(round.rejected);
    if (attempt >= attemptsMax) throw new Error(`no round of ${attempt} counts: ${round.rejected}`);
  }
};

export interface Pair {
  readonly gateway: Round;
  readonly proxy: Round;
}

/** One round of each side. The order alternates, so that a machine that slows down favours no side. */
export const runPair = async (sides: { gateway: Side; proxy: Side }, load: BenchProcess, order: RoundOrder, number: number, onRejected: (reason: string) => void): Promise<Pair> => {
  const run = async (side: Side): Promise<Round> => runRound(side, load, order, onRejected);
  if (number % 2 === 0) {
    const gateway = await run(sides.gateway);
    return { gateway, proxy: await run(sides.proxy) };
  }
  const proxy = await run(sides.proxy);
  return { proxy, gateway: await run(sides.gateway) };
};
