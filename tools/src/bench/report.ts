import type { Mode } from './options.js';
import type { Pair, Round } from './rounds.js';

/** The report of the rounds: numbers for machines and lines for people. Pure. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

export interface Comparison {
  readonly mode: Mode;
  readonly connections: number;
  /** The gateway's requests/s ÷ the proxy's: the median over the pairs of rounds. */
  readonly ratio: number;
  readonly ratios: readonly number[];
  /** The delay of the gateway's median answer against the proxy's. */
  readonly addedP50Ms: number;
  readonly gateway: SideReport;
  readonly proxy: SideReport;
}

export interface SideReport {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly residentBytes: number | null;
  readonly cpuMicroseconds: Readonly<Record<string, number | null>>;
}

const medianOrNull = (values: readonly (number | null)[]): number | null => (values.some((value) => value === null) ? null : median(values as number[]));

export const reportSide = (rounds: readonly Round[]): SideReport => ({
  requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
  p50Ms: median(rounds.map((round) => round.p50Ms)),
  p99Ms: median(rounds.map((round) => round.p99Ms)),
  residentBytes: medianOrNull(rounds.map((round) => round.residentBytes)),
  cpuMicroseconds: Object.fromEntries(Object.keys(rounds[0]!.cpuMicroseconds).map((name) => [name, medianOrNull(rounds.map((round) => round.cpuMicroseconds[name]!))])),
});

export const compare = (mode: Mode, connections: number, pairs: readonly Pair[]): Comparison => {
  const ratios = pairs.map(({ gateway, proxy }) => gateway.requestsPerSecond / proxy.requestsPerSecond);
  return {
    mode,
    connections,
    ratio: median(ratios),
    ratios,
    addedP50Ms: median(pairs.map(({ gateway, proxy }) => gateway.p50Ms - proxy.p50Ms)),
    gateway: reportSide(pairs.map(({ gateway }) => gateway)),
    proxy: reportSide(pairs.map(({ proxy }) => proxy)),
  };
};

const bytesPerMegabyte = 1024 * 1024;
const columns = [8, 6, 10, 12, 10, 10, 9, 0];
const row = (cells: readonly string[]): string => cells.map((cell, index) => (index < 3 ? cell.padEnd(columns[index]!) : cell.padStart(columns[index]!))).join(' ').trimEnd();

export const heading = row(['', 'conns', 'side', 'requests/s', 'p50 ms', 'p99 ms', 'RSS MB', '  CPU µs a request']);

const cpuText = (cpu: SideReport['cpuMicroseconds']): string => Object.entries(cpu).map(([name, value]) => `${name} ${value ?? '?'}`).join(', ');

export const sideLine = (label: string, connections: number, name: string, side: SideReport): string =>
  row([
    label,
    String(connections),
    name,
    side.requestsPerSecond.toFixed(0),
    side.p50Ms.toFixed(1),
    side.p99Ms.toFixed(1),
    side.residentBytes === null ? '?' : (side.residentBytes / bytesPerMegabyte).toFixed(0),
    `  ${cpuText(side.cpuMicroseconds)}`,
  ]);

export const comparisonLines = ({ mode, connections, gateway, proxy, ratio, ratios, addedP50Ms }: Comparison): string[] => [
  sideLine(mode, connections, 'proxy', proxy),
  sideLine(mode, connections, 'gateway', gateway),
  `         ratio ${ratio.toFixed(3)} (median of ${ratios.map((value) => value.toFixed(2)).join(', ')}), ${addedP50Ms.toFixed(1)} ms added at p50`,
];
