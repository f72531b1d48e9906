/** I4 to I7 on usage rows: each is billed once, by its counts and the price that it pins, and no higher than its hold. Pure. */
import { allocationsOfUsage, countsObject, exact, leftOver, numeric, portionsOfUsage, ratedAgain } from './arithmetic.js';
import type { Check } from './reconcile.js';

const ROW = "jsonb_build_object('usage', u.id, 'attempt', u.attempt)";
/** Names the unit where it is not the currency of the row's price. */
const ROW_IN_UNIT = "jsonb_strip_nulls(jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'unit', nullif(t.unit, u.unit)))";

/** A row that was rated wrongly is never changed: adjustments of the unit of `t` correct it. */
const ADJUSTED = `CROSS JOIN LATERAL (
        SELECT coalesce(sum(x.rated), 0) AS rated, coalesce(sum(x.charge), 0) AS charge FROM rating_adjustment x
        WHERE x.organization_id = u.organization_id AND x.usage_id = u.id AND x.attempt = u.attempt AND coalesce(x.unit, u.unit) = t.unit) j`;

/** The portions of `u` added up by unit: `t (unit, hold, rated, charge)`. */
const BY_UNIT = `CROSS JOIN LATERAL (
        SELECT m.unit, sum(m.hold) AS hold, sum(m.rated) AS rated, sum(m.charge) AS charge FROM (SELECT) one ${portionsOfUsage} GROUP BY m.unit) t`;

/** The same, rated again: `t (unit, rated, again, unpriced, is_pinned)`. */
const RATED_BY_UNIT = `CROSS JOIN LATERAL (
        SELECT m.unit, sum(m.rated) AS rated, sum(r.rated) AS again, string_agg(r.unpriced, ', ') AS unpriced, bool_and(m.burn_table IS NULL OR EXISTS (
          SELECT FROM burn_table b WHERE b.id = m.burn_table AND b.unit = m.unit AND coalesce(b.model_id, u.model) = u.model)) AS is_pinned
        FROM (SELECT) one ${portionsOfUsage} ${ratedAgain} GROUP BY m.unit) t`;

export const usageChecks: readonly Check[] = [
  {
    name: 'usage-rerated',
    invariant: 'I7',
    says: 'rating again from counts and the pinned price version gives the same amount, to the last digit',
    subjects: 'usage rows',
    expected: 'counts at the pinned prices',
    found: 'rated by the row, with its adjustments',
    advice: 'The row or a published price was changed. Compare both with a backup, and correct the charge with an adjustment; never change the row.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_strip_nulls(jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'price_version', u.price_version_id, 'unit', nullif(t.unit, u.unit))) AS place,
        CASE WHEN v.id IS NULL THEN format('a price version of %s in %s', u.model, u.unit) WHEN NOT t.is_pinned THEN format('a burn table of %s in %s', u.model, t.unit) WHEN t.unpriced IS NOT NULL THEN 'prices and counts for ' || t.unpriced
          ELSE ${exact('t.again')} END AS expected,
        ${exact('t.rated + j.rated')} AS found, v.id IS NULL OR NOT t.is_pinned OR t.unpriced IS NOT NULL OR (t.again = t.rated + j.rated) IS NOT TRUE AS is_wrong
      FROM usage u ${RATED_BY_UNIT} ${ADJUSTED}
      LEFT JOIN price_version v ON v.id = u.price_version_id AND v.model_id = u.model AND v.currency = u.unit
      WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-charged',
    invariant: 'I6',
    says: 'a charge is the smaller of the rated amount and the hold',
    subjects: 'usage rows',
    expected: 'the smaller of rated and hold',
    found: 'the charge, with its adjustments',
    advice: 'The row was changed: a gateway writes the three amounts together, and a constraint refuses a charge above its hold. Compare it with a backup.',
    sql: (s) => `
      SELECT u.organization_id, ${ROW_IN_UNIT} AS place, ${exact('d.due')} AS expected, ${exact('d.charged')} AS found, (d.charged = d.due) IS NOT TRUE AS is_wrong
      FROM usage u ${BY_UNIT} ${ADJUSTED} CROSS JOIN LATERAL (
        SELECT least(t.rated + j.rated, t.hold) AS due, t.charge + j.charge AS charged) d WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-portions',
    invariant: 'I7',
    says: 'the portions of a row add up to it, and each unit pays every token that its hold covers before the next unit pays',
    subjects: 'usage rows that several units may pay',
    expected: 'the counts and the amounts of the row; no token left over',
    found: 'the differences',
    advice: 'The row was changed: a gateway writes portions, counts and amounts together. Compare it with a backup, and correct the charge with an adjustment.',
    sql: (s) => `
      SELECT u.organization_id, ${ROW} AS place, 'the row; nothing left over' AS expected, coalesce(d.differences, 'the row; nothing left over') AS found, d.differences IS NOT NULL AS is_wrong
      FROM usage u CROSS JOIN LATERAL (
        SELECT nullif(concat_ws('; ',
          (SELECT 'counts of ' || string_agg(coalesce(k.key, c.key), ', ') FROM (
              SELECT e.key, sum(${numeric('e.value')}) AS tokens FROM (SELECT) one ${portionsOfUsage} CROSS JOIN LATERAL jsonb_each_text(${countsObject('m.counts')}) e GROUP BY e.key) k
            FULL JOIN jsonb_each_text(${countsObject('u.counts')}) c ON c.key = k.key WHERE coalesce(k.tokens, 0) IS DISTINCT FROM coalesce(${numeric('c.value')}, 0)),
          (SELECT 'amounts in ' || u.unit FROM (SELECT) one ${portionsOfUsage} WHERE m.unit = u.unit
            HAVING (coalesce(sum(m.hold), 0), coalesce(sum(m.rated), 0), coalesce(sum(m.charge), 0)) IS DISTINCT FROM (u.hold, u.rated, u.charge)),
          (SELECT 'left over by ' || string_agg(format('%s: %s', m.unit, g.classes), ', ') FROM (SELECT) one ${portionsOfUsage} ${leftOver} WHERE NOT m.is_last AND g.classes IS NOT NULL)), '') AS differences) d
      WHERE u.portions IS NOT NULL${s.usage('u')}`,
  },
  {
    name: 'usage-allocated',
    invariant: 'I2',
    says: 'the allocations of a row sum to its charge',
    subjects: 'usage rows',
    expected: 'the charge',
    found: 'the sum of its allocations',
    advice: 'The row was changed: a gateway writes charge and allocations together. Compare it with a backup.',
    sql: (s) => `
      SELECT u.organization_id, ${ROW_IN_UNIT} AS place, ${exact('t.charge')} AS expected, ${exact('t.amount')} AS found, (t.amount = t.charge) IS NOT TRUE AS is_wrong
      FROM usage u CROSS JOIN LATERAL (
        SELECT coalesce(m.unit, a.unit) AS unit, coalesce(m.charge, 0) AS charge, coalesce(a.amount, 0) AS amount
        FROM (SELECT m.unit, sum(m.charge) AS charge FROM (SELECT) one ${portionsOfUsage} GROUP BY m.unit) m
        FULL JOIN (SELECT a.unit, sum(a.amount) AS amount FROM (SELECT) one ${allocationsOfUsage} GROUP BY a.unit) a USING (unit)) t
      WHERE true${s.usage('u')}`,
  },
  {
    name: 'usage-attempts',
    invariant: 'I5',
    says: 'the attempts of a request are complete, and at most the last one is charged',
    subjects: 'requests',
    expected: 'attempts from 0 on; at most the last one charged',
    found: 'attempts; those charged',
    advice: 'A missing attempt was deleted: look for it in a backup. Give a second charge back to the customer with an adjustment of the grant.',
    sql: (s) => `
      WITH request AS (
        SELECT u.organization_id, u.id, count(*) AS attempts, max(u.attempt) AS last, string_agg(u.attempt::text, ' ' ORDER BY u.attempt) AS all_of_them,
          string_agg(u.attempt::text, ' ' ORDER BY u.attempt) FILTER (WHERE p.is_charged) AS charged,
          count(*) FILTER (WHERE p.is_charged) AS charges, max(u.attempt) FILTER (WHERE p.is_charged) AS charged_last
        FROM usage u CROSS JOIN LATERAL (SELECT bool_or(m.charge > 0) AS is_charged FROM (SELECT) one ${portionsOfUsage}) p WHERE true${s.usage('u')} GROUP BY 1, 2)
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
    says: 'an open request runs at a living session, and is not settled yet',
    subjects: 'open requests',
    expected: 'a living session, and no usage row yet',
    found: 'what it has',
    advice: 'Its answer may have been delivered unbilled, or may be billed again. If its session was reaped, keep its settlement, then delete the open row.',
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
    says: 'an open lease belongs to a living session',
    subjects: 'open leases',
    expected: 'a living session',
    found: 'its session',
    advice: 'Nobody will return this slice. Close the lease with the amount that its usage rows took (lease_return cannot, because its session is fenced), and give the rest back to the grant.',
    sql: (s) => `
      SELECT l.organization_id, jsonb_build_object('lease', l.id, 'grant', l.grant_id, 'session', l.session_id) AS place, 'lives' AS expected,
        CASE WHEN n.id IS NULL THEN 'does not exist' ELSE 'was reaped at ' || n.reaped_at END AS found, n.id IS NULL OR n.reaped_at IS NOT NULL AS is_wrong
      FROM lease l LEFT JOIN session n ON n.id = l.session_id WHERE l.closed_at IS NULL${s.organization('l.organization_id')}`,
  },
  {
    name: 'session-fenced',
    invariant: 'I5',
    says: 'a session settled nothing after it was reaped',
    subjects: 'usage rows of reaped sessions',
    expected: 'settled before its session was reaped',
    found: 'settled; reaped',
    advice: 'A gateway continued after its reaper had billed for it, so its requests may have been billed twice. Compare them with the gateway’s log.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'session', u.session_id) AS place, 'before' AS expected,
        format('%s; %s', u.settled_at, n.reaped_at) AS found, u.flush >= 0 AND u.settled_at > n.reaped_at AS is_wrong
      FROM usage u JOIN session n ON n.id = u.session_id AND n.reaped_at IS NOT NULL WHERE true${s.usage('u')}`,
  },
];
