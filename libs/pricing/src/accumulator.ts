/**
 * Accumulators: a counter says what an account tree has used of a named accumulator since the beginning of a period, for rates that depend on it. A
 * rating locks its counters, rates with what they stand at, and adds what it counted in the transaction that posts: exact, whoever
 * rates. With rates per unit nothing reads them yet. Pure.
 */
import { parentClass, type TokenClass, type TokenCounts } from '@kilotoken/contracts';

/** All tokens of every class that a calendar month (UTC, by when use settled) has rated. */
const tokensByMonth = 'tokens:month';

export interface CounterKey {
  readonly accountRootId: string;
  readonly accumulator: string;
  /** The beginning of the period. */
  readonly periodMs: number;
}

export interface CounterIncrement extends CounterKey {
  counted: bigint;
}

export const counterName = ({ accountRootId, accumulator, periodMs }: CounterKey): string => `${accountRootId} ${accumulator} ${periodMs}`;

const monthOf = (atMs: number): { readonly beginMs: number; readonly endMs: number } => {
  const at = new Date(atMs);
  return { beginMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth()), endMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1) };
};

interface CountableGroup {
  readonly accountRootId: string;
  readonly firstSettledMs: number;
  readonly lastSettledMs: number;
  readonly rows: Iterable<{ readonly settledAtMs: number }>;
}

/** The counters that rows will count on, to be locked before any of them is rated. Rows are looked at where a group is not of one month. */
export const countersOf = (groups: readonly CountableGroup[]): CounterKey[] => {
  const keys = new Map<string, CounterKey>();
  for (const { accountRootId, firstSettledMs, lastSettledMs, rows } of groups) {
    const isOfOneMonth = lastSettledMs < monthOf(firstSettledMs).endMs;
    for (const { settledAtMs } of isOfOneMonth ? [{ settledAtMs: firstSettledMs }] : rows) {
      const key = { accountRootId, accumulator: tokensByMonth, periodMs: monthOf(settledAtMs).beginMs };
      keys.set(counterName(key), key);
    }
  }
  return [...keys.values()];
};

/** Counts that cannot be rated count nothing here either; their row is in quarantine. */
const tokensOf = (counts: TokenCounts): number => {
  let tokens = 0;
  for (const tokenClass in counts) {
    const count = counts[tokenClass as TokenClass];
    if (tokenClass in parentClass && Number.isSafeInteger(count) && count! > 0) tokens += count!;
  }
  return tokens;
};

interface Countable {
  readonly counts: TokenCounts;
  readonly settledAtMs: number;
}

export interface Counting {
  count(accountRootId: string, row: Countable): void;
  /** The count so far, by counter. */
  readonly increments: () => CounterIncrement[];
}

export const startCounting = (): Counting => {
  // Found by the root first; nearly all rows of a rating are of one month, so a root has one or two.
  const increments = new Map<string, CounterIncrement[]>();
  let month = { beginMs: 0, endMs: 0 };
  return {
    count: (accountRootId, { counts, settledAtMs }) => {
      if (settledAtMs < month.beginMs || settledAtMs >= month.endMs) month = monthOf(settledAtMs);
      let ofRoot = increments.get(accountRootId);
      if (!ofRoot) increments.set(accountRootId, (ofRoot = []));
      let increment = ofRoot.find(({ periodMs }) => periodMs === month.beginMs);
      if (!increment) ofRoot.push((increment = { accountRootId, accumulator: tokensByMonth, periodMs: month.beginMs, counted: 0n }));
      increment.counted += BigInt(tokensOf(counts));
    },
    increments: () => [...increments.values()].flat(),
  };
};
