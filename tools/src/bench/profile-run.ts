import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Inspector } from './inspector.js';
import type { LoadResult } from './load-order.js';
import { summarizeProfile, type ProfileSummary } from './profile.js';

const functionsMax = 25;

export interface Profiling {
  readonly inspector: Inspector;
  /** Where the .cpuprofile files go. */
  readonly folder: string;
  /** The profiled process. */
  readonly process: string;
  readonly say: (line: string) => void;
}

/** Profiles one round, writes the profile and tells where the time went. */
export const profileRound = async ({ inspector, folder, process, say }: Profiling, { label, file }: { label: string; file: string }, run: () => Promise<LoadResult>): Promise<ProfileSummary> => {
  mkdirSync(folder, { recursive: true });
  await inspector.startProfile();
  const round = await run();
  const profile = await inspector.stopProfile();
  const path = join(folder, `${process}-${file}.cpuprofile`);
  writeFileSync(path, JSON.stringify(profile));
  const summary = summarizeProfile(profile, functionsMax);
  say(`\n${label}: ${((summary.busyMs * 1_000) / round.requests).toFixed(0)} µs a request in the ${process}'s main thread (${path})`);
  for (const part of ['packages', 'functions'] as const) {
    for (const { name, share } of summary[part]) say(`  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`);
    say('');
  }
  return summary;
};
