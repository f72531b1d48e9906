/** I4 to I7 on usage rows: each is billed once, by its counts and the price that it pins, and no higher than its hold. Pure. */
import { allocationsOfUsage, exact, ratedAgain } from './arithmetic.js';
import type { Check } from './reconcile.js';

const ROW = "jsonb_build_object('usage', u.id, 'attempt', u.attempt)";

/** A row that was rated wrongly is never changed: what was put right since then is added to it. */
const ADJUSTED = `LEFT JOIN (
        SELECT x.organization_id, x.usage_id, x.attempt, sum(x.rated) AS rated, sum(x.charge) AS charge FROM rating_adjustment x GROUP BY 1, 2, 3) j
        ON j.organization_id = u.organization_id AND j.usage_id = u.id AND j.attempt = u.attempt`;

export const usageChecks: readonly Check[] = [
  {
    name: 'usage-rerated',
    invariant: 'I7',
    says: 'rating again from counts and the pinned price version gives the same amount to the last digit',
    subjects: 'usage rows',
    expected: 'counts at the pinned prices',
    found: 'what the row says it was rated at, with its adjustments',
    advice: 'Either the row or a published price was changed. Compare both with a backup; correct the charge by an adjustment, never by changing the row.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'price_version', u.price_version_id) AS place,
        CASE WHEN v.id IS NULL THEN format('a price version of %s in %s', u.model, u.unit) WHEN r.unpriced IS NOT NULL THEN 'prices and counts for ' || r.unpriced
          ELSE ${exact('r.rated')} END AS expected,
        ${exact('u.rated + coalesce(j.rated, 0)')} AS found, v.id IS NULL OR r.unpriced IS NOT NULL OR r.rated <> u.rated + coalesce(j.rated, 0) AS is_wrong
      FROM usage u ${ratedAgain} ${ADJUSTED}
      LEFT JOIN price_version v ON v.id = u.price_version_id AND v.model_id = u.model AND v.currency = u.unit
      WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-charged',
    invariant: 'I6',
    says: 'a charge is the smaller of what was rated and what was held',
    subjects: 'usage rows',
    expected: 'the smaller of rated and hold',
    found: 'the charge, with its adjustments',
    advice: 'The row was changed: a gateway writes the three together, and a constraint refuses a charge above its hold. Compare it with a backup.',
    sql: (s) => `
      SELECT u.organization_id, ${ROW} AS place, ${exact('d.due')} AS expected, ${exact('d.charged')} AS found, d.charged <> d.due AS is_wrong
      FROM usage u ${ADJUSTED} CROSS JOIN LATERAL (
        SELECT least(u.rated + coalesce(j.rated, 0), u.hold) AS due, u.charge + coalesce(j.charge, 0) AS charged) d WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-allocated',
    invariant: 'I2',
    says: 'the allocations of a row sum to its charge',
    subjects: 'usage rows',
    expected: 'the charge',
    found: 'the sum of its allocations',
    advice: 'The row was changed: who pays and what is paid are written together. Compare it with a backup.',
    sql: (s) => `
      SELECT u.organization_id, ${ROW} AS place, ${exact('u.charge')} AS expected, ${exact('t.amount')} AS found, t.amount IS DISTINCT FROM u.charge AS is_wrong
      FROM usage u CROSS JOIN LATERAL (SELECT coalesce(sum(a.amount), 0) AS amount FROM (SELECT) one ${allocationsOfUsage}) t WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-attempts',
    invariant: 'I5',
    says: 'the attempts of a request are all there, and at most one of them is charged, the last',
    subjects: 'requests',
    expected: 'attempts from 0 on, charged at most once, the last',
    found: 'attempts; those charged',
    advice: 'A missing attempt was deleted: look for it in a backup. A second charge is the customer’s: give it back by an adjustment of the grant.',
    sql: (s) => `
      WITH request AS (
        SELECT u.organization_id, u.id, count(*) AS attempts, max(u.attempt) AS last, string_agg(u.attempt::text, ' ' ORDER BY u.attempt) AS all_of_them,
          string_agg(u.attempt::text, ' ' ORDER BY u.attempt) FILTER (WHERE u.charge > 0) AS charged,
          count(*) FILTER (WHERE u.charge > 0) AS charges, max(u.attempt) FILTER (WHERE u.charge > 0) AS charged_last
        FROM usage u WHERE true${s.usage('u')} GROUP BY 1, 2)
      SELECT q.organization_id, jsonb_build_object('request', q.id) AS place, 'attempts 0 to ' || q.last AS expected,
        format('attempts %s; charged %s', q.all_of_them, coalesce(q.charged, 'none')) AS found,
        q.charges > 1 OR q.charged_last < q.last
          -- An attempt that could not be stored is in quarantine.
          OR (q.attempts <> q.last + 1 AND NOT EXISTS (SELECT FROM usage_quarantine x WHERE x.organization_id = q.organization_id AND x.id = q.id)) AS is_wrong
      FROM request q`,
  },
  {
    name: 'request-open',
    invariant: 'I4',
    says: 'an open request runs at a session that lives, and is not settled already',
    subjects: 'open requests',
    expected: 'a session that lives, and no usage row yet',
    found: 'what it has',
    advice: 'Its answer may have been completed unbilled, or may be billed again. If its session was reaped, keep its settlement, then delete the open row.',
    sql: (s) => `
      SELECT o.organization_id, jsonb_build_object('request', o.id, 'session', o.session_id) AS place, 'a session that lives; no row' AS expected,
        concat_ws('; ', CASE WHEN n.id IS NULL THEN 'no session' WHEN n.reaped_at IS NOT NULL THEN 'a session that was reaped' ELSE 'a session that lives' END,
          CASE WHEN w.is_settled THEN 'a usage row' ELSE 'no row' END) AS found,
        n.id IS NULL OR n.reaped_at IS NOT NULL OR w.is_settled AS is_wrong
      FROM open_request o LEFT JOIN session n ON n.id = o.session_id
      CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM usage u WHERE u.organization_id = o.organization_id AND u.id = o.id) AS is_settled) w
      WHERE true${s.organization('o.organization_id')}`,
  },
  {
    name: 'lease-open',
    invariant: 'I2',
    says: 'an open lease belongs to a session that lives',
    subjects: 'open leases',
    expected: 'a session that lives',
    found: 'its session',
    advice: 'Nobody will return this slice by itself: close the lease with what its usage rows took (lease_return cannot, its session is fenced), and give the rest back to the grant.',
    sql: (s) => `
      SELECT l.organization_id, jsonb_build_object('lease', l.id, 'grant', l.grant_id, 'session', l.session_id) AS place, 'lives' AS expected,
        CASE WHEN n.id IS NULL THEN 'does not exist' ELSE 'was reaped at ' || n.reaped_at END AS found, n.id IS NULL OR n.reaped_at IS NOT NULL AS is_wrong
      FROM lease l LEFT JOIN session n ON n.id = l.session_id WHERE l.closed_at IS NULL${s.organization('l.organization_id')}`,
  },
  {
    name: 'session-fenced',
    invariant: 'I5',
    says: 'nothing was settled by a session after it was reaped',
    subjects: 'usage rows of reaped sessions',
    expected: 'settled before its session was reaped',
    found: 'settled; reaped',
    advice: 'A gateway went on after its reaper had billed for it: its requests may have been billed twice. Compare with the gateway’s log.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'session', u.session_id) AS place, 'before' AS expected,
        format('%s; %s', u.settled_at, n.reaped_at) AS found, u.flush >= 0 AND u.settled_at > n.reaped_at AS is_wrong
      FROM usage u JOIN session n ON n.id = u.session_id AND n.reaped_at IS NOT NULL WHERE true${s.usage('u')}`,
  },
];
