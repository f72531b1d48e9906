/** Rollups, which charts read, against usage. `kt rollups verify` compares by the same SQL, which shares nothing with what keeps rollups. Pure. */
import { rolledUpAgain, rollupKey } from '@kilotoken/rollups';
import type { Check } from './reconcile.js';

export const rollupChecks: readonly Check[] = [
  {
    name: 'rollups', invariant: 'I7',
    says: 'each rollup of a minute, quarter of an hour or day is the sum of its usage rows',
    subjects: 'rollups',
    expected: 'by usage rows',
    found: 'by the rollup',
    advice: 'If usage is right (usage-sealed), rebuild the days: npm run kt -- rollups rebuild --from <day> --to <day>.',
    // Rollups are by the day of UTC in which usage settled: of a period all of its days.
    sql: (s) => `
      WITH ${rolledUpAgain({
        from: "coalesce(date_bin('1 day', $4::timestamptz, 'epoch'), '-infinity')",
        until: "coalesce(date_bin('1 day', $5::timestamptz + interval '1 day - 1 microsecond', 'epoch'), 'infinity')",
        organization: s.organization,
      })}
      SELECT organization_id, jsonb_build_object('rollup', grain_minutes || ' minutes from ' || starts_at, 'project', project_id, 'key', api_key_id, 'model', model, 'lane', lane_id, 'tag', tag_key || '=' || tag_value) AS place,
        coalesce(concat_ws(' ', e.requests, 'requests', trim_scale(e.charge), unit, 'charge', trim_scale(e.cost), cost_currency, 'cost'), 'none') AS expected,
        CASE WHEN r.requests IS NULL THEN 'none' ELSE concat_ws(' ', r.requests, 'requests', trim_scale(r.charge), unit, 'charge', trim_scale(r.cost), cost_currency, 'cost') END AS found,
        to_jsonb(e) IS DISTINCT FROM to_jsonb(r) AS is_wrong
      FROM expected e FULL JOIN stored r USING (${rollupKey})`,
  },
  {
    name: 'unrolled-rated', invariant: 'I5',
    says: 'each row that waits to be rolled up exists and was rated',
    subjects: 'rows in flushes that wait to be rolled up',
    expected: 'a usage row that was rated',
    found: 'what there is',
    advice: 'The flush left the raters’ queue unrated. Put it back into unrated_batch, or nobody posts its charge.',
    // A rebuild queues days by sessions of its own.
    sql: (s) => `
      SELECT k.organization_id, jsonb_build_object('usage', k.id, 'attempt', k.attempt, 'session', b.session_id, 'flush', b.flush) AS place, 'one' AS expected,
        CASE WHEN u.id IS NULL THEN 'no usage row' WHEN f.rating_id IS NULL THEN 'one that was not rated' ELSE 'one' END AS found, u.id IS NULL OR f.rating_id IS NULL AS is_wrong
      FROM unrolled_batch b CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k (organization_id, id, attempt)
      LEFT JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt
      LEFT JOIN rated_flush f ON f.session_id = u.session_id AND f.flush = u.flush AND f.shard = u.shard
      WHERE true${s.organization('k.organization_id')}${s.ids('k.id')}`,
  },
];
