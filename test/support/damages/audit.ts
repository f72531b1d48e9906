import { damage, type Damage } from './damage.js';

const LAST = '(SELECT max(seq) FROM audit_entry WHERE organization_id = $parent)';

/** Computes the chain anew but for its head, as somebody would who knows how it is made. */
const RECHAIN = `;
  DO $rechain$ DECLARE e audit_entry; n bigint := 0; h bytea := audit_genesis(); BEGIN
    FOR e IN SELECT * FROM audit_entry WHERE organization_id = $parent ORDER BY seq LOOP
      DELETE FROM audit_entry WHERE organization_id = e.organization_id AND seq = e.seq;
      n := n + 1; e.seq := n; e.previous_hash := h; e.hash := audit_hash(e, h); h := e.hash;
      INSERT INTO audit_entry VALUES (e.*);
    END LOOP;
  END $rechain$`;

export const auditDamages: readonly Damage[] = [
  damage('an audit entry changed', "UPDATE audit_entry SET actor_id = 'nobody' WHERE organization_id = $parent AND seq = 2", 'audit-chain', '$parent', '2'),
  damage('an audit entry’s values changed', "UPDATE audit_entry SET after = '{\"amount\": 1}' WHERE organization_id = $parent AND seq = 2", 'audit-chain', '$parent', '2'),
  damage('an audit entry removed', 'DELETE FROM audit_entry WHERE organization_id = $parent AND seq = 2', 'audit-chain', '$parent', '3'),
  damage('an audit entry removed, and its chain made anew', `DELETE FROM audit_entry WHERE organization_id = $parent AND seq = 2${RECHAIN}`, 'audit-chain', '$parent', 'the last one'),
  damage('the last audit entry removed', `DELETE FROM audit_entry WHERE organization_id = $parent AND seq = ${LAST}`, 'audit-chain', '$parent', 'the last one'),
  damage('an audit entry forged', `INSERT INTO audit_entry SELECT organization_id, seq + 1, at, 'person', 'forged', NULL, 'grant.issue', 'credit_grant', 'x', NULL, NULL, NULL, NULL, hash, sha256('x') FROM audit_entry
    WHERE organization_id = $parent AND seq = ${LAST}`, 'audit-chain', '$parent', 'grant.issue'),
  damage('an audit entry’s moment changed', "UPDATE audit_entry SET at = at - interval '1 microsecond' WHERE organization_id = $parent AND seq = 2", 'audit-chain', '$parent', '2'),
  damage('the head of an audit chain deleted', 'DELETE FROM audit_chain WHERE organization_id = $parent', 'audit-chain', '$parent', 'no head'),
  damage('an audit log deleted but for its head', 'DELETE FROM audit_entry WHERE organization_id = $parent', 'audit-chain', '$parent', 'the last one'),
];
