import { histogramBoundsMs, quantileMsMax } from '@kilotoken/rollups';
import type pg from 'pg';
import { globalId, type Asked } from './api-bare-request.js';

/** Daily use by model: points and totals by one statement. */
interface SumRow {
  /** Null: a total. */
  readonly at: Date | null;
  readonly group: string;
  readonly unit: string;
  readonly requests: string;
  readonly errors: string;
  readonly inputTokens: string;
  readonly cachedTokens: string;
  readonly outputTokens: string;
  readonly charge: string;
  readonly firstToken: readonly string[];
  readonly duration: readonly string[];
}

const histogram = (column: string): string => `ARRAY[${[...histogramBoundsMs, Infinity].map((_, index) => `sum(${column}[${index + 1}])`).join(', ')}]::text[]`;

const text = `SELECT starts_at AS at, model AS "group", unit, sum(requests)::text AS requests, sum(errors)::text AS errors,
    sum(input_tokens + cached_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_in_tokens + image_in_tokens)::text AS "inputTokens",
    sum(cached_read_tokens)::text AS "cachedTokens", sum(output_tokens + reasoning_tokens + audio_out_tokens + image_out_tokens)::text AS "outputTokens",
    trim_scale(sum(charge))::text AS charge, ${histogram('first_token_histogram')} AS "firstToken", ${histogram('duration_histogram')} AS duration
  FROM usage_rollup WHERE organization_id = $1 AND grain_minutes = 1440 AND tag_key = '' AND starts_at >= $2 AND starts_at < $3
  GROUP BY GROUPING SETS ((starts_at, model, unit), (model, unit))
  ORDER BY starts_at, CASE WHEN starts_at IS NULL THEN sum(requests) END DESC, CASE WHEN starts_at IS NULL THEN sum(charge) END DESC, model, unit`;

const quantile = (counts: readonly string[], share: number): number | null => {
  const buckets = counts.map(BigInt);
  const ms = quantileMsMax({ count: buckets.reduce((all, count) => all + count, 0n), sumMs: 0n, histogram: buckets }, share);
  return ms === Infinity ? null : ms;
};

export const readUsage = async (db: pg.PoolClient, { organization, from, until }: Asked): Promise<object> => {
  const { rows } = await db.query<SumRow>({ name: 'bare_usage', text, values: [organization, from, until] });
  const points = rows.flatMap(({ at, group, unit, requests, errors, inputTokens, cachedTokens, outputTokens, charge }) =>
    at === null ? [] : [{ at, group, requests, errors, inputTokens, cachedTokens, outputTokens, charge, unit, __typename: 'UsagePoint' }],
  );
  const totals = rows.flatMap(({ at, group, unit, requests, errors, inputTokens, cachedTokens, outputTokens, charge, firstToken, duration }) =>
    at === null
      ? [{ group, label: group, requests, errors, inputTokens, cachedTokens, outputTokens, charge, unit, p50FirstTokenMs: quantile(firstToken, 0.5), p95DurationMs: quantile(duration, 0.95), __typename: 'UsageTotal' }]
      : [],
  );
  return { id: globalId('Organization', organization, organization), usageSeries: { grain: 'DAY', points, totals, __typename: 'UsageSeries' }, __typename: 'Organization' };
};
