import type { InFlight } from './reconcile.js';
import { scopeParameters, scopeSql, type Scope } from './scope.js';
import type { Snapshot } from './snapshot.store.js';

/** A gateway beats every few seconds; one that is silent for so long, or has no heartbeat at all, is dead, and metering should have reaped it. */
const silentAfterSeconds = 60;

/** Counts what is under way or set aside at the moment of the snapshot. */
export const countInFlight = async (snapshot: Snapshot, scope: Scope): Promise<InFlight> => {
  const s = scopeSql(scope, snapshot);
  const { rows } = await snapshot.db.query<InFlight>(
    `WITH ${scopeParameters},
     open_lease AS (
       SELECT g.unit, count(*) AS leases, sum(l.slice) AS slices FROM lease l JOIN credit_grant g ON g.organization_id = l.organization_id AND g.id = l.grant_id
       WHERE l.closed_at IS NULL${s.organization('l.organization_id')} GROUP BY 1),
     unrated AS (
       SELECT b.session_id, b.flush, b.shard, b.created_at, k.organization_id FROM unrated_batch b CROSS JOIN LATERAL unnest(b.organization_ids) AS k (organization_id)
       WHERE true${s.organization('k.organization_id')})
     SELECT
       (SELECT coalesce(sum(leases), 0)::float8 FROM open_lease) AS "openLeases",
       (SELECT coalesce(json_object_agg(unit, trim_scale(slices)::text), '{}') FROM open_lease) AS leased,
       (SELECT count(*)::float8 FROM open_request o WHERE true${s.organization('o.organization_id')}) AS "openRequests",
       (SELECT count(DISTINCT (session_id, flush, shard))::float8 FROM unrated) AS "unratedFlushes",
       (SELECT count(*)::float8 FROM unrated) AS "unratedRows",
       (SELECT coalesce(greatest(0, extract(epoch FROM $9::timestamptz - min(created_at))), 0)::float8 FROM unrated) AS "unratedOldestSeconds",
       (SELECT count(*)::float8 FROM session WHERE reaped_at IS NULL) AS sessions,
       (SELECT count(*)::float8 FROM session n LEFT JOIN session_heartbeat h ON h.session_id = n.id
         WHERE n.reaped_at IS NULL AND coalesce(h.beat_at, '-infinity') < $9::timestamptz - interval '${silentAfterSeconds} s') AS "sessionsSilent",
       (SELECT coalesce(json_object_agg(reason, rows), '{}') FROM (
         SELECT q.reason, count(*) AS rows FROM usage_quarantine q
         WHERE NOT EXISTS (SELECT FROM quarantine_step t WHERE t.organization_id = q.organization_id AND t.usage_id = q.id AND t.attempt = q.attempt
           AND t.reason = q.reason AND t.step <> 'repaired')${s.organization('q.organization_id')}${s.ids('q.id')} GROUP BY 1) q) AS quarantined,
       (SELECT count(*)::float8 FROM usage_default u WHERE true${s.organization('u.organization_id')}) AS "defaultPartitionRows",
       (SELECT coalesce(sum(x.rows), 0)::float8 FROM usage_archive x WHERE x.detached_at IS NOT NULL) AS "archivedRows",
       (SELECT coalesce(sum(x.rows), 0)::float8 FROM usage_archive x WHERE x.dropped_at IS NOT NULL) AS "droppedRows"`,
    [...s.values],
  );
  return rows[0]!;
};
