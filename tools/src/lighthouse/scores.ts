/** One run of Lighthouse: scores of 0 to 100, and the measures behind the performance score. */
export interface Scores {
  readonly performance: number;
  readonly accessibility: number;
  readonly bestPractices: number;
  readonly firstPaintMs: number;
  readonly largestPaintMs: number;
  readonly blockedMs: number;
  readonly speedIndexMs: number;
  readonly layoutShift: number;
}

export type Form = 'desktop' | 'mobile';

/** A gate for the desktop form. */
export const accessibilityMin = 95;
/** An aim: a busy machine may miss it. */
export const performanceAim = 95;

const columns: readonly (readonly [keyof Scores, string, number])[] = [
  ['performance', 'performance', 0],
  ['accessibility', 'accessibility', 0],
  ['bestPractices', 'best practices', 0],
  ['firstPaintMs', 'first paint, ms', 0],
  ['largestPaintMs', 'largest paint, ms', 0],
  ['blockedMs', 'blocked, ms', 0],
  ['speedIndexMs', 'speed index, ms', 0],
  ['layoutShift', 'layout shift', 3],
];

/** The median of each column by itself; of an even number of runs the lower of the two in the middle. */
export const median = (runs: readonly Scores[]): Scores => {
  if (runs.length === 0) throw new Error('A median needs at least one run.');
  const middle = (name: keyof Scores): number => runs.map((run) => run[name]).sort((a, b) => a - b)[Math.floor((runs.length - 1) / 2)]!;
  return Object.fromEntries(columns.map(([name]) => [name, middle(name)])) as unknown as Scores;
};

export const table = (runs: readonly Scores[], middle: Scores): string => {
  const rowOf = (label: string, scores: Scores): string => [label.padEnd(8), ...columns.map(([name, title, digits]) => scores[name].toFixed(digits).padStart(title.length))].join('  ');
  return [['run'.padEnd(8), ...columns.map(([, title]) => title)].join('  '), ...runs.map((run, index) => rowOf(String(index + 1), run)), rowOf('median', middle)].join('\n');
};
