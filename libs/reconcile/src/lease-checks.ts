/** I2: what a living session holds, it uses. Pure. */
import { allocationsOfUsage, exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

/** A gateway returns what lies idle for at most ten minutes (IDLE_LEASE_MS); three times that is nobody's patience. */
const idleMinutes = 30;
/** A session without a heartbeat is counted as silent, and reaped by metering. */
const beatSeconds = 60;

export const leaseChecks: readonly Check[] = [
  {
    name: 'lease-idle', invariant: 'I2',
    says: `a living session uses each lease that it holds, or returns it within ${idleMinutes} minutes`,
    subjects: 'open leases of living sessions',
    expected: `used within ${idleMinutes} minutes`,
    found: 'last used; its slice',
    advice: 'The session does not know this lease, so nobody returns it. Stop that gateway (kill -TERM): its leases are then closed with the amounts that usage took from them.',
    sql: (s) => `
      WITH held AS (
        SELECT l.* FROM lease l JOIN session n ON n.id = l.session_id AND n.reaped_at IS NULL JOIN session_heartbeat h ON h.session_id = n.id AND h.beat_at > $9::timestamptz - interval '${beatSeconds} s'
        WHERE l.closed_at IS NULL${s.organization('l.organization_id')}),
      idle AS (SELECT h.* FROM held h WHERE h.opened_at < $9::timestamptz - interval '${idleMinutes} minutes'),
      used AS (
        SELECT u.organization_id, a.lease_id, max(u.settled_at) AS at FROM usage u ${allocationsOfUsage}
        WHERE u.id >= (SELECT i.first_usage_id FROM idle i ORDER BY 1 LIMIT 1)${s.organization('u.organization_id')} GROUP BY 1, 2
        UNION ALL
        SELECT o.organization_id, CASE WHEN pg_input_is_valid(e ->> 'lease', 'uuid') THEN (e ->> 'lease')::uuid END, max(o.checkpoint_at) FROM open_request o
        CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(o.holds) WHEN 'array' THEN o.holds ELSE '[]' END) e GROUP BY 1, 2),
      last AS (SELECT organization_id, lease_id, max(at) AS at FROM used GROUP BY 1, 2)
      SELECT l.organization_id, jsonb_build_object('lease', l.id, 'grant', l.grant_id, 'session', l.session_id) AS place, 'within' AS expected,
        format('%s; %s', coalesce(t.at, l.opened_at), ${exact('l.slice')}) AS found, i.id IS NOT NULL AND coalesce(t.at, l.opened_at) < $9::timestamptz - interval '${idleMinutes} minutes' AS is_wrong
      FROM held l LEFT JOIN idle i ON i.organization_id = l.organization_id AND i.id = l.id LEFT JOIN last t ON t.organization_id = l.organization_id AND t.lease_id = l.id`,
  },
  {
    name: 'request-holds', invariant: 'I2',
    says: 'an open request holds amounts of its own session’s open leases, and its settlement does not exceed them',
    subjects: 'holds of open requests',
    expected: 'an open lease of its session and organization',
    found: 'the lease that the hold names',
    advice: 'The open request or its lease was changed, so its reaper would bill another amount than was held. Compare both with the gateway’s log.',
    sql: (s) => `
      SELECT o.organization_id, jsonb_build_object('request', o.id, 'lease', h.lease, 'session', o.session_id) AS place, 'one' AS expected,
        format('lease %s, grant %s, %s', coalesce(l.id::text, 'none'), h.grant_id, h.amount) AS found, l.id IS NULL OR h.amount IS NULL OR h.amount < 0 AS is_wrong
      FROM open_request o CROSS JOIN LATERAL (
        SELECT e ->> 'lease' AS lease, e ->> 'grant' AS grant_id, CASE WHEN pg_input_is_valid(e ->> 'amount', 'numeric') THEN (e ->> 'amount')::numeric END AS amount
        FROM jsonb_array_elements(CASE jsonb_typeof(o.holds) WHEN 'array' THEN o.holds ELSE '[null]' END) e) h
      LEFT JOIN lease l ON l.organization_id = o.organization_id AND l.id::text = h.lease AND l.grant_id::text = h.grant_id AND l.session_id = o.session_id AND l.closed_at IS NULL
      WHERE true${s.organization('o.organization_id')}`,
  },
  {
    name: 'request-settlement', invariant: 'I6',
    says: 'the settlement kept with an open request is of that request, and does not exceed its holds',
    subjects: 'rows that a reaper would bill',
    expected: 'its id and organization; at most its holds',
    found: 'by the checkpoint',
    advice: 'The checkpoint was changed. Correct its settlement before you stop its gateway, or keep it apart and bill by hand.',
    sql: (s) => `
      SELECT o.organization_id, jsonb_build_object('request', o.id, 'session', o.session_id) AS place, format('%s %s; %s', o.organization_id, o.id, ${exact('h.amount')}) AS expected,
        format('%s %s; %s', e.value ->> 'organization', e.value ->> 'id', e.value ->> 'charge') AS found,
        e.value ->> 'organization' IS DISTINCT FROM o.organization_id::text OR e.value ->> 'id' IS DISTINCT FROM o.id::text
          OR NOT coalesce(CASE WHEN pg_input_is_valid(e.value ->> 'charge', 'numeric') THEN (e.value ->> 'charge')::numeric END BETWEEN 0 AND h.amount, false) AS is_wrong
      FROM open_request o CROSS JOIN LATERAL (
        SELECT coalesce(sum(CASE WHEN pg_input_is_valid(x ->> 'amount', 'numeric') THEN (x ->> 'amount')::numeric END), 0) AS amount
        FROM jsonb_array_elements(CASE jsonb_typeof(o.holds) WHEN 'array' THEN o.holds ELSE '[]' END) x) h
      LEFT JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(o.settlement) WHEN 'array' THEN o.settlement END) e (value) ON true
      WHERE true${s.organization('o.organization_id')}`,
  },
  {
    name: 'session-alive', invariant: 'I5',
    says: 'a living session was not reaped, and has a heartbeat',
    subjects: 'sessions',
    expected: 'a heartbeat, no reaper’s bill',
    found: 'what it has',
    advice: 'A reaped session was brought back, or a session lost its heartbeat. Stop its process; metering then reaps it.',
    wholeDatabaseOnly: true,
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('session', n.id) AS place, 'a heartbeat' AS expected,
        format('%s; %s', CASE WHEN h.session_id IS NULL THEN 'no heartbeat' ELSE 'a heartbeat' END, coalesce('reaper''s bill ' || r.usage, 'no bill of a reaper')) AS found,
        n.reaped_at IS NULL AND (h.session_id IS NULL OR r.usage IS NOT NULL) AS is_wrong
      FROM session n LEFT JOIN session_heartbeat h ON h.session_id = n.id
      LEFT JOIN (SELECT u.session_id, min(u.id::text) AS usage FROM usage u WHERE u.flush < 0 GROUP BY 1) r ON r.session_id = n.id`,
  },
];
