import { useMemo } from 'react';
import { useSearchParams } from 'react-router';
import type { Grain, UsageDimension, UsageSeriesInput } from '../../graphql/generated/types.ts';

/** The question of the usage page, which lives in its address. */
export const spans = ['1h', '24h', '7d', '30d', '90d', '12mo'] as const;
export type Span = (typeof spans)[number];

export const dimensions = ['MODEL', 'PROJECT', 'API_KEY', 'TAG'] as const satisfies readonly UsageDimension[];
export type Dimension = (typeof dimensions)[number];

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

interface SpanRule {
  readonly ms: number;
  /** Finest first; a chart has at most some hundred bars. */
  readonly grains: readonly Grain[];
}

const rules: Readonly<Record<Span, SpanRule>> = {
  '1h': { ms: hourMs, grains: ['MINUTE', 'HOUR'] },
  '24h': { ms: dayMs, grains: ['HOUR', 'MINUTE'] },
  '7d': { ms: 7 * dayMs, grains: ['DAY', 'HOUR'] },
  '30d': { ms: 30 * dayMs, grains: ['DAY', 'HOUR'] },
  '90d': { ms: 90 * dayMs, grains: ['DAY', 'MONTH'] },
  '12mo': { ms: 365 * dayMs, grains: ['MONTH', 'DAY'] },
};

export const grainsOf = (span: Span): readonly Grain[] => rules[span].grains;

const GROUPS_MAX = 50;
const minuteMs = 60_000;

/** The value in the address if it is one of ours; an address that somebody edited asks the usual question. */
const oneOf = <Value extends string>(values: readonly Value[], text: string | null, usual: Value): Value => values.find((value) => value === text) ?? usual;

export interface UsageQuestion {
  readonly span: Span;
  readonly grain: Grain;
  readonly by: Dimension;
  readonly tagKey: string | null;
  readonly measure: string | null;
  readonly model: string | null;
  readonly project: string | null;
  readonly set: (changes: Readonly<Record<string, string | null>>) => void;
}

export function useUsageQuestion(): UsageQuestion {
  const [search, setSearch] = useSearchParams();
  const span = oneOf(spans, search.get('span'), '30d');
  const grains = grainsOf(span);
  return {
    span,
    grain: oneOf(grains, search.get('grain'), grains[0]!),
    by: oneOf(dimensions, search.get('by'), 'MODEL'),
    tagKey: search.get('tag'),
    measure: search.get('measure'),
    model: search.get('model'),
    project: search.get('project'),
    set: (changes) =>
      setSearch(
        (current) => {
          for (const [name, value] of Object.entries(changes)) {
            if (value === null) current.delete(name);
            else current.set(name, value);
          }
          return current;
        },
        { replace: true },
      ),
  };
}

const rangeOf = (span: Span, nowMs: number): { readonly from: string; readonly until: string } => {
  const untilMs = Math.ceil(nowMs / minuteMs) * minuteMs;
  return { from: new Date(untilMs - rules[span].ms).toISOString(), until: new Date(untilMs).toISOString() };
};

/** The question for the api; asked anew when it changes, not whenever the page is drawn. */
export function useSeriesInput({ span, grain, by, tagKey, model, project }: UsageQuestion, timeZone: string): UsageSeriesInput {
  const range = useMemo(() => rangeOf(span, Date.now()), [span]);
  return {
    ...range,
    grain,
    groupBy: by,
    timeZone,
    groupsMax: GROUPS_MAX,
    ...(by === 'TAG' && tagKey !== null && { tagKey }),
    ...((model !== null || project !== null) && { filter: { ...(model !== null && { models: [model] }), ...(project !== null && { projectIds: [project] }) } }),
  };
}
