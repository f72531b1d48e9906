import { audited } from '@kilotoken/audit';
import { actingAs, changeThrough, type Actor, type ControlPool } from '@kilotoken/platform';

/** A page asks for the same again and again: within this time it is one reading. */
const sameWithinMs = 60_000;
const rememberedMax = 10_000;
/** Lists of all organizations touch many; then one entry of the platform's tells of all. */
const organizationsMax = 5;

/** Writes what the staff read of organizations into their audit logs. */
export class ReadLog {
  private readonly recent = new Map<string, number>();

  constructor(private readonly pool: ControlPool) {}

  async record(viewerId: string, organizationIds: readonly string[], operation: string, actor: Actor): Promise<void> {
    const action = actor.act?.action ?? 'staff.read';
    const fresh = organizationIds.filter((id) => this.isFresh(`${viewerId} ${id} ${operation}`));
    if (fresh.length === 0) return;
    const onBehalfOf = actor.act?.onBehalfOf ?? null;
    const entry = { action, objectType: 'organization', after: { operation }, ip: actor.act?.ip ?? null, requestId: actor.act?.requestId ?? null, onBehalfOf };
    const entries = fresh.length <= organizationsMax ? fresh.map((id) => ({ ...entry, organizationId: id, objectId: id })) : [{ ...entry, organizationId: null, after: { operation, organizations: fresh.length } }];
    await changeThrough(actingAs(this.pool, actor), null, (db) => audited(db, ...entries));
  }

  private isFresh(key: string): boolean {
    const now = performance.now();
    if (now - (this.recent.get(key) ?? -Infinity) < sameWithinMs) return false;
    if (this.recent.size >= rememberedMax) this.recent.clear();
    this.recent.set(key, now);
    return true;
  }
}
