/** The audit log is only added to: each organization's entries are a chain of hashes up to its head. Pure. */
import type { Check } from './reconcile.js';

export const auditChecks: readonly Check[] = [
  {
    name: 'audit-chain',
    invariant: 'I1',
    says: "an organization's audit entries are a chain without gaps up to its head: each carries the hash of the one before and of all that it says",
    subjects: 'audit entries and heads',
    expected: 'its place and hash by its contents and the one before',
    found: 'its place and hash',
    advice: 'This entry, or the one before it, was changed, added or removed after it was written. Compare the audit log from here on with a backup.',
    // Places are counted from the chain's beginning, whatever the period; hashes are made anew for the period alone.
    sql: (s) => `
      WITH linked AS (
        SELECT e.*, lag(e.hash, 1, decode(repeat('00', 32), 'hex')) OVER chain AS hash_before, row_number() OVER chain AS place
        FROM audit_entry e WHERE true${s.organization('e.organization_id')} WINDOW chain AS (PARTITION BY e.organization_id ORDER BY e.seq)),
      due AS (
        SELECT l.*, sha256(convert_to(jsonb_build_array('kilotoken-audit-1', l.organization_id, l.place, (extract(epoch FROM l.at) * 1000000)::bigint, l.actor_kind, l.actor_id, l.on_behalf_of,
          l.action, l.object_type, l.object_id, l.before, l.after, l.ip, l.request_id, encode(l.hash_before, 'hex'))::text, 'UTF8')) AS hash_due
        FROM linked l WHERE true${s.times('l.at')})
      SELECT organization_id, jsonb_build_object('entry', seq, 'action', action) AS place, format('%s %s', place, left(encode(hash_due, 'hex'), 16)) AS expected,
        format('%s %s', seq, left(encode(hash, 'hex'), 16)) AS found, seq <> place OR previous_hash <> hash_before OR hash <> hash_due AS is_wrong
      FROM due
      UNION ALL
      SELECT coalesce(c.organization_id, e.organization_id), jsonb_build_object('entry', 'the last one') AS place, concat_ws(' ', e.seq, left(encode(e.hash, 'hex'), 16)) AS expected,
        CASE WHEN c.seq IS NULL THEN 'no head' ELSE format('%s %s', c.seq, left(encode(c.hash, 'hex'), 16)) END AS found, (c.seq, c.hash) IS DISTINCT FROM (e.seq, e.hash) AS is_wrong
      FROM (SELECT * FROM audit_chain a WHERE true${s.organization('a.organization_id')}) c
      FULL JOIN (SELECT DISTINCT ON (organization_id) organization_id, seq, hash FROM linked ORDER BY organization_id, seq DESC) e USING (organization_id)`,
  },
];
