/** I9: events are numbered without gaps, and those of grants say what the grants say. Pure. */
import { exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

export const eventChecks: readonly Check[] = [
  {
    name: 'event-sequence', invariant: 'I9',
    says: 'the events of an organization are numbered without gaps up to its position; only old ones were pruned',
    subjects: 'events',
    expected: 'the number after the one before, up to the position',
    found: 'its number; the position',
    advice: 'An event was deleted, forged or renumbered, so its customer got too few or too many. Compare the outbox with a backup.',
    sql: (s) => `
      WITH numbered AS (
        SELECT e.organization_id, e.id, e.kind, e.sequence, lag(e.sequence) OVER own AS before, lead(e.sequence) OVER own AS next FROM outbox_event e
        WHERE e.sequence IS NOT NULL${s.organization('e.organization_id')} WINDOW own AS (PARTITION BY e.organization_id ORDER BY e.sequence)),
      position AS (SELECT p.* FROM outbox_position p WHERE true${s.organization('p.organization_id')})
      SELECT coalesce(n.organization_id, p.organization_id) AS organization_id, jsonb_build_object('event', n.id, 'kind', n.kind) AS place, coalesce((n.before + 1)::text, 'any') AS expected, format('%s; %s', n.sequence, coalesce(p.sequence::text, 'none')) AS found,
        n.sequence <> n.before + 1 OR (n.next IS NULL AND n.sequence IS DISTINCT FROM p.sequence) AND n.id IS NOT NULL AS is_wrong
      FROM numbered n FULL JOIN position p ON p.organization_id = n.organization_id`,
  },
  {
    name: 'grant-events', invariant: 'I9',
    says: 'the event of a grant states the grant’s terms',
    subjects: 'events of issued grants',
    expected: 'by the grant',
    found: 'by the event',
    advice: 'The grant’s terms or its event were changed. Compare both with the payment or decision behind the grant.',
    // Moments have milliseconds there.
    sql: (s) => `
      SELECT e.organization_id, jsonb_build_object('event', e.id, 'grant', e.payload ->> 'grant_id') AS place,
        CASE WHEN g.id IS NULL THEN 'no grant' ELSE concat_ws(' ', ${exact('g.granted')}, g.unit, g.source, g.reference, d.ends) END AS expected,
        concat_ws(' ', e.payload ->> 'amount', e.payload ->> 'unit', e.payload ->> 'source', e.payload ->> 'reference', e.payload ->> 'expires_at') AS found,
        g.id IS NULL OR (e.payload ->> 'amount', e.payload ->> 'unit', e.payload ->> 'source', e.payload ->> 'reference', e.payload ->> 'expires_at')
          IS DISTINCT FROM (${exact('g.granted')}, g.unit, g.source, g.reference, d.ends) OR e.created_at <> g.created_at AS is_wrong
      FROM outbox_event e LEFT JOIN credit_grant g ON g.organization_id = e.organization_id AND g.id::text = e.payload ->> 'grant_id' AND e.key = g.id::text
      CROSS JOIN LATERAL (SELECT to_char(g.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ends) d
      WHERE e.kind = 'grant.issued'${s.organization('e.organization_id')}`,
  },
];
