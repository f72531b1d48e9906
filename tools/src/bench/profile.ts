import type { CpuProfile } from './inspector.js';

/** Sums up a profile's time. Pure. */
export interface SelfTime {
  readonly name: string;
  /** The share of the busy time. */
  readonly share: number;
}

export interface ProfileSummary {
  /** Busy processor time of the profiled thread. */
  readonly busyMs: number;
  readonly functions: readonly SelfTime[];
  /** The same by owner of the code: a package, one of our own apps or libs, or Node itself. */
  readonly packages: readonly SelfTime[];
}

const idle = new Set(['(idle)', '(root)']);

const packageOf = (url: string, functionName: string): string => {
  if (url.startsWith('node:')) return url;
  const [, dependency] = /\/node_modules\/(?!.*\/node_modules\/)((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
  if (dependency) return dependency;
  const [, own] = /\/((?:apps|libs)\/[^/]+)\/dist\//.exec(url) ?? [];
  return own ?? (url === '' ? functionName.startsWith('(') ? functionName : '(built in)' : url);
};

const placeOf = ({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string => {
  const file = url.replace(/^.*\/(node_modules|apps|libs)\//, '$1/').replace(/^node_modules\//, '');
  return `${functionName || '(anonymous)'}${file ? ` ${file}:${lineNumber + 1}` : ''}`;
};

export const summarizeProfile = ({ nodes, samples, timeDeltas }: CpuProfile, functionsMax: number): ProfileSummary => {
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const byFunction = new Map<string, number>();
  const byPackage = new Map<string, number>();
  let busyMicroseconds = 0;
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (!frame || idle.has(frame.functionName)) continue;
    const elapsed = timeDeltas[index] ?? 0;
    busyMicroseconds += elapsed;
    const place = placeOf(frame);
    byFunction.set(place, (byFunction.get(place) ?? 0) + elapsed);
    const owner = packageOf(frame.url, frame.functionName);
    byPackage.set(owner, (byPackage.get(owner) ?? 0) + elapsed);
  }
  const top = (times: ReadonlyMap<string, number>): SelfTime[] =>
    [...times]
      .sort(([, a], [, b]) => b - a)
      .slice(0, functionsMax)
      .map(([name, elapsed]) => ({ name, share: elapsed / busyMicroseconds }));
  return { busyMs: busyMicroseconds / 1_000, functions: top(byFunction), packages: top(byPackage) };
};
