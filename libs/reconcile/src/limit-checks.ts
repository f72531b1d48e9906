/** Limits: what is counted of a limit is what gateways hold of it and what usage took. Pure. */
import { exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

export const limitChecks: readonly Check[] = [
  {
    name: 'limit-counter', invariant: 'I3',
    says: 'a limit’s counter is at least the sum of its sessions’ slices, and equal to it for concurrency',
    subjects: 'counters',
    expected: 'held by sessions',
    found: 'taken',
    advice: 'The counter or a slice was changed by hand, so gateways admit more or less than the limit. Set taken to the sum of the slices and the usage of its window.',
    sql: (s) => `
      SELECT c.organization_id, jsonb_build_object('limit', c.limit_id, 'subject', c.subject, 'window', c.window_start_ms) AS place, ${exact('h.amount')} AS expected, ${exact('c.taken')} AS found,
        c.taken < h.amount OR (l.window_kind = 'none' AND c.taken <> h.amount) OR c.taken <> c.taken::numeric(38, 12) AS is_wrong
      FROM limit_counter c LEFT JOIN usage_limit l ON l.organization_id = c.organization_id AND l.id = c.limit_id CROSS JOIN LATERAL (
        SELECT coalesce(sum(x.amount), 0) AS amount FROM limit_slice x WHERE x.organization_id = c.organization_id AND x.limit_id = c.limit_id AND x.subject = c.subject AND x.window_start_ms = c.window_start_ms) h
      WHERE true${s.organization('c.organization_id')}`,
  },
  {
    name: 'limit-slice', invariant: 'I3',
    says: 'a slice belongs to a living session',
    subjects: 'slices',
    expected: 'a living session',
    found: 'its session',
    advice: 'Nobody will return this slice. Delete it, and subtract its unused part from its counter.',
    sql: (s) => `
      SELECT x.organization_id, jsonb_build_object('limit', x.limit_id, 'subject', x.subject, 'session', x.session_id) AS place, 'lives' AS expected,
        CASE WHEN n.id IS NULL THEN 'does not exist' ELSE 'was reaped at ' || n.reaped_at END AS found, n.id IS NULL OR n.reaped_at IS NOT NULL OR x.amount < 0 AS is_wrong
      FROM limit_slice x LEFT JOIN session n ON n.id = x.session_id WHERE true${s.organization('x.organization_id')}`,
  },
];
