/** Limits: what is counted of a limit is what gateways hold of it and what usage took. Pure. */
import { exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

export const limitChecks: readonly Check[] = [
  {
    name: 'limit-counter', invariant: 'I3',
    says: 'a counter has taken at least what sessions hold of it, and all of it where it counts what runs',
    subjects: 'counters',
    expected: 'held by sessions',
    found: 'taken',
    advice: 'The counter or a slice was changed by hand, and more or less than the limit is admitted: set taken to what slices hold and usage of its window took.',
    sql: (s) => `
      SELECT c.organization_id, jsonb_build_object('limit', c.limit_id, 'subject', c.subject, 'window', c.window_start_ms) AS place, ${exact('h.amount')} AS expected, ${exact('c.taken')} AS found,
        c.taken < h.amount OR (l.window_kind = 'none' AND c.taken <> h.amount) OR c.taken <> c.taken::numeric(38, 12) AS is_wrong
      FROM limit_counter c LEFT JOIN usage_limit l ON l.organization_id = c.organization_id AND l.id = c.limit_id CROSS JOIN LATERAL (
        SELECT coalesce(sum(x.amount), 0) AS amount FROM limit_slice x WHERE x.organization_id = c.organization_id AND x.limit_id = c.limit_id AND x.subject = c.subject AND x.window_start_ms = c.window_start_ms) h
      WHERE true${s.organization('c.organization_id')}`,
  },
  {
    name: 'limit-slice', invariant: 'I3',
    says: 'a slice belongs to a session that lives',
    subjects: 'slices',
    expected: 'a session that lives',
    found: 'its session',
    advice: 'Nobody gives this slice back: delete it, and take what usage of its session did not use from its counter.',
    sql: (s) => `
      SELECT x.organization_id, jsonb_build_object('limit', x.limit_id, 'subject', x.subject, 'session', x.session_id) AS place, 'lives' AS expected,
        CASE WHEN n.id IS NULL THEN 'does not exist' ELSE 'was reaped at ' || n.reaped_at END AS found, n.id IS NULL OR n.reaped_at IS NOT NULL OR x.amount < 0 AS is_wrong
      FROM limit_slice x LEFT JOIN session n ON n.id = x.session_id WHERE true${s.organization('x.organization_id')}`,
  },
];
