import { parseMoney } from '@kilotoken/money';
import { sumAmounts } from '../format/amount.ts';
import type { UsageSeriesFieldsFragment } from '../graphql/generated/types.ts';
import { otherColor, seriesColors } from '../theme.ts';
import { bucketKey, bucketsBetween, type Grain } from './buckets.ts';

/** Rows and series of a stacked chart, from what the api counted. Positions are numbers; the exact text of each value stands beside it. */
export type Measure = 'charge' | 'requests' | 'tokens';

export type ChartRow = Readonly<Record<string, number | string>> & { readonly at: string };

export interface ChartSeries {
  readonly name: string;
  readonly label: string;
  readonly color: string;
}

export interface Chart {
  readonly rows: readonly ChartRow[];
  readonly series: readonly ChartSeries[];
  /** Exact values by row and series, for tooltips and the table that stands for the chart. */
  readonly exact: ReadonlyMap<string, string>;
}

export const exactKey = (at: string, name: string): string => `${at} ${name}`;

type Point = UsageSeriesFieldsFragment['points'][number];

const measureOf = (point: Pick<Point, 'charge' | 'requests' | 'inputTokens' | 'outputTokens'>, measure: Measure): string => {
  if (measure === 'charge') return point.charge;
  return measure === 'requests' ? point.requests : sumAmounts([point.inputTokens, point.outputTokens]);
};

interface ChartOptions {
  readonly from: string;
  readonly until: string;
  readonly timeZone: string;
  readonly measure: Measure;
  /** Charges of one unit alone can stand on one axis. */
  readonly unit: string | undefined;
  readonly otherLabel: string;
}

export const chartOf = (usage: UsageSeriesFieldsFragment, { from, until, timeZone, measure, unit, otherLabel }: ChartOptions): Chart => {
  const grain: Grain = usage.grain;
  const points = usage.points.filter((point) => measure !== 'charge' || point.unit === unit);
  const ranked = rankGroups(points, measure);
  const top = ranked.slice(0, seriesColors.length);
  const nameOf = (group: string): string => (top.includes(group) ? `g${top.indexOf(group)}` : 'other');
  const labels = new Map(usage.totals.map(({ group, label }) => [group, label]));

  const sums = new Map<string, Map<string, string[]>>();
  for (const point of points) {
    const key = bucketKey(point.at, grain, timeZone);
    const bucket = sums.get(key) ?? new Map<string, string[]>();
    const name = nameOf(point.group);
    bucket.set(name, [...(bucket.get(name) ?? []), measureOf(point, measure)]);
    sums.set(key, bucket);
  }

  const series: ChartSeries[] = top.map((group, index) => ({ name: `g${index}`, label: labels.get(group) ?? group, color: seriesColors[index]! }));
  if (ranked.length > top.length) series.push({ name: 'other', label: otherLabel, color: otherColor });
  const exact = new Map<string, string>();
  const rows = bucketsBetween(from, until, grain, timeZone).map(({ key, at }) => {
    const row: Record<string, number | string> = {};
    for (const { name } of series) {
      const value = sumAmounts(sums.get(key)?.get(name) ?? []);
      row[name] = Number(value);
      exact.set(exactKey(at, name), value);
    }
    return { ...row, at };
  });
  return { rows, series, exact };
};

const rankGroups = (points: readonly Point[], measure: Measure): readonly string[] => {
  const totals = new Map<string, bigint>();
  for (const point of points) totals.set(point.group, (totals.get(point.group) ?? 0n) + parseMoney(measureOf(point, measure)));
  return [...totals].sort(([a, left], [b, right]) => (left === right ? a.localeCompare(b) : left < right ? 1 : -1)).map(([group]) => group);
};
