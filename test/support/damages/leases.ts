import { damage, type Damage } from './damage.js';

const lease = (what: string, set: string, check: string, ...names: readonly string[]): Damage => damage(what, `UPDATE lease SET ${set} WHERE id = $openLease`, check, '$openLease', ...names);
const closed = (what: string, set: string, check: string, ...names: readonly string[]): Damage => damage(what, `UPDATE lease SET ${set} WHERE id = $closedLease`, check, '$closedLease', ...names);

/** As `lease_take` would have made it, for a session that never asked. */
const leak = (session: string, opened: string): string => `INSERT INTO lease (organization_id, id, grant_id, session_id, ask_id, slice, first_usage_id, opened_at)
    VALUES ($parent, '01920000-0000-7000-8000-000000000009', $package, ${session}, gen_random_uuid(), 7, uuid_floor(${opened}), ${opened});
  UPDATE credit_grant SET available = available - 7, leased = leased + 7 WHERE id = $package`;

export const leaseDamages: readonly Damage[] = [
  lease('a lease given to a session that was reaped', 'session_id = $reaped', 'lease-open', 'was reaped'),
  lease('a lease given to another living session', 'session_id = $otherSession', 'request-holds'),
  lease('a lease of a session that does not exist', 'session_id = gen_random_uuid()', 'lease-open', 'does not exist'),
  damage('a lease leaked to a living session', leak('$otherSession', "kt_now() - interval '40 minutes'"), 'lease-period', '01920000-0000-7000-8000-000000000009'),
  damage('a lease leaked to a session that lives for long', `UPDATE session SET started_at = started_at - interval '1 day' WHERE id = $otherSession; ${leak('$otherSession', "kt_now() - interval '40 minutes'")}`, 'lease-idle', '01920000-0000-7000-8000-000000000009', '$package'),
  damage('a lease leaked to a session that was reaped', leak('$reaped', 'kt_now()'), 'lease-open', '01920000-0000-7000-8000-000000000009'),
  damage('a lease made without its grant', leak('$session', 'kt_now()').split(';')[0]!, 'grant-leases', '$package', 'found 0'),
  damage('a lease with another slice', 'UPDATE lease SET slice = slice + 1 WHERE id = $openLease', 'grant-leases', '$prepaid'),
  damage('a lease with another slice, and its grant', 'UPDATE lease SET slice = 1 WHERE id = $openLease; UPDATE credit_grant SET leased = leased - 99, available = available + 99 WHERE id = $prepaid', 'lease-settled', '$openLease'),
  damage('a lease of another grant', 'UPDATE lease SET grant_id = $package WHERE id = $openLease', 'grant-leases', '$package'),
  lease('a lease of another organization', 'organization_id = $other', 'allocation-lease', '$openLease', '$rated'),
  lease('a lease that is younger than its usage', 'first_usage_id = uuidv7()', 'allocation-lease', '$rated'),
  lease('a lease whose first usage is of another month', "first_usage_id = uuid_floor(kt_now() - interval '2 months')", 'lease-period'),
  lease('a lease that opened before its session', "opened_at = opened_at - interval '1 day'", 'lease-period'),
  lease('a lease that was closed by hand', 'closed_at = kt_now(), settled = slice', 'lease-settled'),
  damage('a lease that was deleted', 'DELETE FROM lease WHERE id = $openLease', 'allocation-lease', '$rated', 'nobody'),
  damage('a lease deleted with what it held', 'DELETE FROM lease WHERE id = $childLease; UPDATE credit_grant SET leased = leased - 60, available = available + 60 WHERE id = $childPrepaid', 'allocation-lease', '$childUsage'),
  damage('a closed lease reopened', 'UPDATE lease SET closed_at = NULL, settled = NULL WHERE id = $closedLease', 'grant-leases', '$package'),
  closed('a closed lease that settled something else', 'settled = 9, slice = 9', 'lease-settled', 'found 9'),
  damage('a closed lease and its grant that settled something else', 'UPDATE lease SET settled = 9, slice = 9 WHERE id = $closedLease; UPDATE credit_grant SET settled = settled + 1, available = available - 1 WHERE id = $package', 'lease-settled', '$closedLease'),
  closed('a lease that closed before it opened', "closed_at = opened_at - interval '1 day'", 'lease-period'),
  damage('a lease that closed after its session was reaped', "UPDATE lease SET closed_at = closed_at + interval '1 hour' WHERE id = $reapedLease", 'lease-period', '$reapedLease'),
  damage('a closed lease deleted', 'DELETE FROM lease WHERE id = $closedLease', 'grant-leases', '$package'),
  damage('a lease of usage that has left, settled otherwise', 'UPDATE lease SET settled = settled + 1, slice = slice + 1 WHERE id = $goneLease; UPDATE credit_grant SET settled = settled + 1, available = available - 1 WHERE id = $prepaid', 'lease-settled', '$goneLease'),

  damage('a session brought back after it was reaped', 'UPDATE session SET reaped_at = NULL WHERE id = $reaped', 'session-alive', '$reaped', '$reapedOpen'),
  damage('a session reaped by hand', 'UPDATE session SET reaped_at = kt_now() WHERE id = $session', 'lease-open', '$openLease', '$session'),
  damage('a session reaped earlier than it was', "UPDATE session SET reaped_at = reaped_at - interval '1 hour' WHERE id = $reaped", 'session-fenced', '$reapedUsage'),
  damage('a session that began later', "UPDATE session SET started_at = started_at + interval '1 hour' WHERE id = $session", 'lease-period', '$session'),
  damage('a session deleted', 'DELETE FROM session WHERE id = $otherSession', 'references', '$otherSession', 'lease'),
  damage('a session without a heartbeat', 'DELETE FROM session_heartbeat WHERE session_id = $session', 'session-alive', '$session', 'no heartbeat'),
  damage('a heartbeat of no session', "INSERT INTO session_heartbeat (session_id) VALUES ('01920000-0000-7000-8000-000000000010')", 'references', '01920000-0000-7000-8000-000000000010'),

  damage('a limit’s counter below what sessions hold', 'UPDATE limit_counter SET taken = 1 WHERE limit_id = $limit', 'limit-counter', '$limit'),
  damage('a limit’s counter deleted', 'DELETE FROM limit_counter WHERE limit_id = $limit', 'references', 'limit_slice', '$limit'),
  damage('a limit’s slice raised', 'UPDATE limit_slice SET amount = amount + 100 WHERE limit_id = $limit', 'limit-counter', '$limit'),
  damage('a limit’s slice given to a session that was reaped', 'UPDATE limit_slice SET session_id = $reaped WHERE limit_id = $limit', 'limit-slice', '$limit', '$reaped'),
  damage('a limit’s slice of no session', 'UPDATE limit_slice SET session_id = gen_random_uuid() WHERE limit_id = $limit', 'limit-slice', '$limit', 'does not exist'),
  damage('a limit deleted under its counters', 'DELETE FROM usage_limit WHERE id = $limit', 'references', 'limit_counter', '$limit'),
  damage('a claim of a session that does not exist', 'UPDATE idempotency_claim SET session_id = gen_random_uuid()', 'references', 'idempotency_claim', '$parent'),
];
