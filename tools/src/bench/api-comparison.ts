import type { ApiFixture } from './api-fixture.js';
import { describeOperations } from './api-operations.js';
import type { ApiBenchOptions } from './api-options.js';
import { proveAnswers, type ProvenOperation } from './api-answers.js';
import { startApiSides, type ApiSides } from './api-sides.js';
import { profileRound } from './profile-run.js';
import type { ProfileSummary } from './profile.js';
import { heading, median, reportSide, sideLine, type SideReport } from './report.js';
import { runRound, type Round } from './rounds.js';
import type { BenchRun } from './run.js';

/** Rounds of both sides in turn, operation by operation. */
export interface ApiComparison {
  readonly operation: string;
  readonly answerBytes: number;
  /** Requests/s of the api ÷ those of the hand-written route: the median over the pairs of rounds. */
  readonly ratio: number;
  readonly ratios: readonly number[];
  readonly api: SideReport;
  readonly bare: SideReport;
}

export interface ApiReport {
  readonly connections: number;
  readonly comparisons: readonly ApiComparison[];
  readonly profiles: readonly (ProfileSummary & { operation: string })[];
}

type SideName = 'api' | 'bare';

export const compareApi = async (fixture: ApiFixture, options: ApiBenchOptions, { say, cleanup }: BenchRun): Promise<ApiReport> => {
  const sides = await startApiSides(fixture, options.profile !== null, cleanup);
  const origins = { api: sides.api.origin, bare: sides.bare.origin };
  const proven: ProvenOperation[] = [];
  for (const operation of describeOperations(fixture, sides.cookie)) proven.push(await proveAnswers(origins, operation));
  say(`both sides give the same answers to ${proven.reduce((sum, { api }) => sum + api.length, 0)} requests`);
  const comparisons: ApiComparison[] = [];
  const profiles: ApiReport['profiles'][number][] = [];
  say(`\n${heading}`);
  for (const operation of proven) {
    const runSide = (name: SideName, seconds: number): Promise<Round> => {
      const order = { connections: options.connections, durationMs: seconds * 1_000, requests: operation[name] };
      return runRound(sides[name], sides.load, order, (reason) => say(`a round did not count: ${reason}`));
    };
    comparisons.push(await compareOperation(operation, options, runSide));
    comparisonLines(comparisons.at(-1)!, options.connections).forEach(say);
    if (options.profile !== null) profiles.push({ operation: operation.name, ...(await profileOperation(operation.name, options, sides, say, () => runSide('api', options.seconds))) });
  }
  return { connections: options.connections, comparisons, profiles };
};

/** The side that goes first alternates, so that a machine that slows down is no side's fault. */
const compareOperation = async (operation: ProvenOperation, options: ApiBenchOptions, runSide: (name: SideName, seconds: number) => Promise<Round>): Promise<ApiComparison> => {
  const rounds: Record<SideName, Round[]> = { api: [], bare: [] };
  for (const name of ['bare', 'api'] as const) await runSide(name, options.warmUpSeconds);
  for (let number = 0; number < options.rounds; number += 1) {
    const order: SideName[] = number % 2 === 0 ? ['api', 'bare'] : ['bare', 'api'];
    for (const name of order) rounds[name].push(await runSide(name, options.seconds));
  }
  const ratios = rounds.api.map((round, index) => round.requestsPerSecond / rounds.bare[index]!.requestsPerSecond);
  return { operation: operation.name, answerBytes: operation.api[0]!.answerBytes, ratio: median(ratios), ratios, api: reportSide(rounds.api), bare: reportSide(rounds.bare) };
};

const comparisonLines = ({ operation, answerBytes, api, bare, ratio, ratios }: ApiComparison, connections: number): string[] => [
  `${operation} (${(answerBytes / 1_024).toFixed(1)} kB)`,
  sideLine('', connections, 'bare', bare),
  sideLine('', connections, 'api', api),
  `         ratio ${ratio.toFixed(3)} (median of ${ratios.map((value) => value.toFixed(2)).join(', ')})`,
];

const profileOperation = (name: string, { profile }: ApiBenchOptions, { inspector }: ApiSides, say: BenchRun['say'], run: () => Promise<Round>): Promise<ProfileSummary> =>
  profileRound({ inspector: inspector!, folder: profile!, process: 'api', say }, { label: name, file: name.replaceAll(/[^a-z0-9]+/g, '-') }, run);
