import type { BenchProcess } from './child.js';
import type { Installation } from './installation.js';
import type { GatewayBenchOptions } from './options.js';
import { median, reportSide, sideLine, type SideReport } from './report.js';
import { runRound, type Round, type RoundOrder, type Side } from './rounds.js';

/** The cost of many tenants: load on one organization, on a thousand and on all stored ones, in turn. */
export interface OrganizationsReport {
  readonly stored: number;
  readonly spreads: readonly { readonly organizations: number; readonly ratio: number; readonly side: SideReport }[];
}

export interface OrganizationsInput {
  readonly installation: Installation;
  readonly side: Side;
  readonly load: BenchProcess;
  readonly options: GatewayBenchOptions;
  readonly say: (line: string) => void;
}

const spreadOver = 1_000;
const connections = 64;

export const measureOrganizations = async ({ installation, side, load, options, say }: OrganizationsInput): Promise<OrganizationsReport> => {
  const { key, otherKeys } = installation;
  const spreads = [[key], otherKeys.slice(0, spreadOver), otherKeys].map((keys) => ({ keys, rounds: [] as Round[] }));
  const order = (keys: readonly string[]): RoundOrder => ({ mode: 'json', connections, durationMs: options.seconds * 1_000, keys: [...keys] });
  say(`\n${otherKeys.length} organizations stored, JSON`);
  for (const { keys } of spreads) await runRound(side, load, order(keys), say);
  for (let number = 0; number < options.rounds; number += 1) {
    for (const { keys, rounds } of spreads) rounds.push(await runRound(side, load, order(keys), say));
  }
  const [single] = spreads;
  const report = spreads.map(({ keys, rounds }) => ({
    organizations: keys.length,
    ratio: median(rounds.map((round, index) => round.requestsPerSecond / single!.rounds[index]!.requestsPerSecond)),
    side: reportSide(rounds),
  }));
  for (const { organizations, ratio, side: measured } of report) {
    say(sideLine(`over ${organizations}`, connections, 'gateway', measured));
    say(`         ratio to one organization ${ratio.toFixed(3)}`);
  }
  return { stored: otherKeys.length, spreads: report };
};
