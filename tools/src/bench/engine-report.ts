import type { EngineResult } from './engine-order.js';
import { median } from './report.js';

/** The report of the rounds: numbers for machines and lines for people. Pure. */
export const engineSides = ['bare', 'loops', 'engine', 'worker'] as const;
export type EngineSide = (typeof engineSides)[number];
export type EngineRound = Readonly<Record<EngineSide, EngineResult>>;

export interface EngineSideReport {
  readonly tokensPerSecond: number;
  readonly firstTokenMs: number;
  readonly sequencesPerDecode: number;
}

export interface EngineComparison {
  readonly concurrency: number;
  readonly sides: Readonly<Record<EngineSide, EngineSideReport>>;
  /** The worker's tokens/s ÷ the other side's, median over the rounds. */
  readonly ratioToBare: number;
  readonly ratioToEngine: number;
  /** The share of a decode's possible sequences: the requests, at most the slots. */
  readonly batchFill: number;
}

const tokensPerSecond = ({ tokens, elapsedMs }: EngineResult): number => (tokens * 1_000) / elapsedMs;

const reportSide = (results: readonly EngineResult[]): EngineSideReport => ({
  tokensPerSecond: median(results.map(tokensPerSecond)),
  firstTokenMs: median(results.map(({ firstTokenMs }) => median(firstTokenMs))),
  sequencesPerDecode: median(results.map(({ sequences, decodes }) => sequences / decodes)),
});

export const compareEngines = (concurrency: number, slots: number, rounds: readonly EngineRound[]): EngineComparison => {
  const sides = Object.fromEntries(engineSides.map((side) => [side, reportSide(rounds.map((round) => round[side]))])) as EngineComparison['sides'];
  const ratioTo = (side: EngineSide): number => median(rounds.map((round) => tokensPerSecond(round.worker) / tokensPerSecond(round[side])));
  return {
    concurrency,
    sides,
    ratioToBare: ratioTo('bare'),
    ratioToEngine: ratioTo('engine'),
    batchFill: sides.worker.sequencesPerDecode / Math.min(concurrency, slots),
  };
};

const columns = [10, 10, 10, 16, 18];
const row = (cells: readonly string[]): string => cells.map((cell, index) => (index < 2 ? cell.padEnd(columns[index]!) : cell.padStart(columns[index]!))).join('').trimEnd();

export const engineHeading = row(['requests', 'side', 'tokens/s', 'first token ms', 'sequences/decode']);

export const engineLines = ({ concurrency, sides, ratioToBare, ratioToEngine, batchFill }: EngineComparison): string[] => [
  ...engineSides.map((side) => {
    const { tokensPerSecond: speed, firstTokenMs, sequencesPerDecode } = sides[side];
    return row([String(concurrency), side, speed.toFixed(1), firstTokenMs.toFixed(0), sequencesPerDecode.toFixed(2)]);
  }),
  `          worker ÷ bare ${ratioToBare.toFixed(3)}, worker ÷ engine ${ratioToEngine.toFixed(3)}, batch filled to ${(batchFill * 100).toFixed(0)} %`,
];
