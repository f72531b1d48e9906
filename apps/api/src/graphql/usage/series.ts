import { formatMoney, parseMoney } from '@kilotoken/money';
import { quantileMsMax, type RollupSums } from '@kilotoken/rollups';
import { UsageDimension, type UsagePoint, type UsageTotal } from './series.type.js';

/** Sums of one group and unit, over one period or all. */
interface Sum {
  requests: bigint;
  errors: bigint;
  inputTokens: bigint;
  cachedTokens: bigint;
  outputTokens: bigint;
  charge: bigint;
  firstToken: bigint[];
  duration: bigint[];
}

const inputColumns = ['input_tokens', 'cached_read_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens', 'audio_in_tokens', 'image_in_tokens'] as const;
const outputColumns = ['output_tokens', 'reasoning_tokens', 'audio_out_tokens', 'image_out_tokens'] as const;
/** The group of all that are not among the largest. */
const otherGroup = '(other)';

const none = (): Sum => ({ requests: 0n, errors: 0n, inputTokens: 0n, cachedTokens: 0n, outputTokens: 0n, charge: 0n, firstToken: [], duration: [] });

const sumOf = (row: RollupSums, columns: readonly string[]): bigint => columns.reduce((sum, column) => sum + BigInt(String(row[column])), 0n);

const addHistogram = (into: bigint[], counts: readonly string[]): void => counts.forEach((count, index) => (into[index] = (into[index] ?? 0n) + BigInt(count)));

const add = (sum: Sum, row: RollupSums): void => {
  sum.requests += BigInt(row.requests);
  sum.errors += BigInt(row.errors);
  sum.inputTokens += sumOf(row, inputColumns);
  sum.cachedTokens += sumOf(row, ['cached_read_tokens']);
  sum.outputTokens += sumOf(row, outputColumns);
  sum.charge += parseMoney(row.charge);
  addHistogram(sum.firstToken, row.first_token_histogram);
  addHistogram(sum.duration, row.duration_histogram);
};

const groupOf = (row: RollupSums, groupBy: UsageDimension | null): string => (groupBy === null ? '' : groupBy === UsageDimension.UNIT ? row.unit : String(row['group_0']));

/** The largest groups by requests, then by charge of whatever unit, then by name, so that the choice is the same each time. */
const largest = (rows: readonly RollupSums[], groupBy: UsageDimension | null, groupsMax: number): ReadonlySet<string> => {
  const sizes = new Map<string, { requests: bigint; charge: bigint }>();
  for (const row of rows) {
    const group = groupOf(row, groupBy);
    const size = sizes.get(group) ?? { requests: 0n, charge: 0n };
    sizes.set(group, { requests: size.requests + BigInt(row.requests), charge: size.charge + parseMoney(row.charge) });
  }
  const sorted = [...sizes].sort(([nameA, a], [nameB, b]) => compare(b.requests, a.requests) || compare(b.charge, a.charge) || (nameA < nameB ? -1 : 1));
  return new Set(sorted.slice(0, groupsMax).map(([group]) => group));
};

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

const finiteMs = (histogram: readonly bigint[], share: number): number | null => {
  const count = histogram.reduce((all, inBucket) => all + inBucket, 0n);
  const ms = quantileMsMax({ count, sumMs: 0n, histogram }, share);
  return ms === null || ms === Infinity ? null : ms;
};

/** Points and totals of a series, without names for people. Rows come in the order of their periods. */
export const seriesOf = (rows: readonly RollupSums[], groupBy: UsageDimension | null, groupsMax: number): { points: UsagePoint[]; totals: UsageTotal[] } => {
  const named = largest(rows, groupBy, groupsMax);
  const points = new Map<string, { at: Date; group: string; unit: string; sum: Sum }>();
  const totals = new Map<string, { group: string; unit: string; sum: Sum }>();
  for (const row of rows) {
    const own = groupOf(row, groupBy);
    const group = named.has(own) ? own : otherGroup;
    const key = JSON.stringify([group, row.unit]);
    const pointKey = `${row.starts_at.getTime()} ${key}`;
    const point = points.get(pointKey) ?? { at: row.starts_at, group, unit: row.unit, sum: none() };
    const total = totals.get(key) ?? { group, unit: row.unit, sum: none() };
    points.set(pointKey, point);
    totals.set(key, total);
    add(point.sum, row);
    add(total.sum, row);
  }
  const shown = ({ requests, errors, inputTokens, cachedTokens, outputTokens, charge }: Sum) => ({ requests, errors, inputTokens, cachedTokens, outputTokens, charge: formatMoney(charge) });
  return {
    points: [...points.values()].map(({ at, group, unit, sum }) => ({ at, group, unit, ...shown(sum) })),
    totals: [...totals.values()]
      .sort((a, b) => Number(a.group === otherGroup) - Number(b.group === otherGroup) || compare(b.sum.requests, a.sum.requests) || compare(b.sum.charge, a.sum.charge))
      .map(({ group, unit, sum }) => ({ group, label: group, unit, ...shown(sum), p50FirstTokenMs: finiteMs(sum.firstToken, 0.5), p95DurationMs: finiteMs(sum.duration, 0.95) })),
  };
};
