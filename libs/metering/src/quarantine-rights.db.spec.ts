import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { changeThrough, inTransaction, type Db } from '@kilotoken/platform';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { discardQuarantined } from './quarantine.flow.js';

/** Rights of the control plane's login over usage in quarantine: the steps of one open case, for its organization, in somebody's name. */
const states = { nameless: 'KT040', otherOrganization: 'KT042', notOpen: 'KT043' } as const;

let money: MoneyDatabase;
let organizationId: string;
let usageId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  organizationId = (await money.newTenant('10')).organizationId;
  usageId = money.mintId();
  await money.quarantine(await money.newSession(), usageId, 'settle:22P05', 'broken');
});
afterAll(() => money.drop());

type Call = (db: Db, change?: { reason?: string; session?: string; rows?: readonly object[] }) => Promise<unknown>;

const lock: Call = (db) => db.query("SELECT quarantine_lock($1, $2, 0::smallint, 'settle:22P05')", [organizationId, usageId]);
const take: Call = (db, { reason = 'settle:22P05', session = randomUUID() } = {}) =>
  db.query("SELECT quarantine_take($1, $2, 0::smallint, $3, $4, $5, 'USD', 'mock', 1)", [organizationId, usageId, reason, session, money.mintId()]);
const settle: Call = (db, { reason = 'settle:22P05', session = randomUUID(), rows = [] } = {}) =>
  db.query('SELECT quarantine_settle($1, $2, 0::smallint, $3, $4, $5)', [organizationId, usageId, reason, session, JSON.stringify(rows)]);
const adjust: Call = (db, { reason = 'rating_mismatch' } = {}) => db.query("SELECT quarantine_adjust($1, $2, 0::smallint, $3, 'USD', 1, 'test')", [organizationId, usageId, reason]);
const discard: Call = (db, { reason = 'settle:22P05' } = {}) =>
  db.query("SELECT quarantine_step_put($1, $2, 0::smallint, $3, 'discarded', NULL, NULL, 'test', 'test')", [organizationId, usageId, reason]);

const calls: [string, Call][] = [['locks', lock], ['leases', take], ['settles', settle], ['adjusts', adjust], ['records a step', discard]];
const attempt = (call: Call, ...change: Parameters<Call> extends [Db, ...infer Rest] ? Rest : never): Promise<string | undefined> =>
  sqlStateFrom(changeThrough(money.control, organizationId, (db) => call(db, ...change)));

describe.each(calls)('the control plane that %s', (_name, call) => {
  it('is refused for another organization than its transaction names, and for none', async () => {
    const other = (await money.newTenant()).organizationId;
    expect(await sqlStateFrom(changeThrough(money.control, other, (db) => call(db)))).toBe(states.otherOrganization);
    expect(await sqlStateFrom(changeThrough(money.control, null, (db) => call(db)))).toBe(states.otherOrganization);
  });

  it('is refused without an actor', async () => {
    const nameless = inTransaction(money.control, async (db) => {
      await db.query("SELECT set_config('kilotoken.organization_id', $1, true)", [organizationId]);
      await call(db);
    });
    expect(await sqlStateFrom(nameless)).toBe(states.nameless);
  });
});

describe('the control plane', () => {
  it('does nothing to a case that has ended, and a step is recorded with its actor', async () => {
    await discardQuarantined(money.control, { organizationId, usageId, attempt: 0, reason: 'settle:22P05' }, { actor: 'kt:test', note: 'a test' });
    const [change] = await money.sql('SELECT actor_kind, actor_id, table_name, change FROM control_change WHERE organization_id = $1 ORDER BY id DESC LIMIT 1', [organizationId]);
    expect(change).toEqual({ actor_kind: 'system', actor_id: 'test', table_name: 'quarantine_step', change: 'insert' });
    for (const call of [take, settle, discard]) expect(await attempt(call)).toBe(states.notOpen);
  });

  it('leases, settles and adjusts nothing of a case of another kind', async () => {
    await money.quarantine(await money.newSession(), usageId, 'vendor_usage', 'garbage');
    for (const call of [take, settle, adjust]) expect(await attempt(call, { reason: 'vendor_usage' })).toBe(states.notOpen);
    expect(await attempt(adjust, { reason: 'settle:22P05' })).toBe(states.notOpen);
    expect(await attempt(discard, { reason: 'vendor_usage' })).toBeUndefined();
  });

  it('settles no row of another request or organization', async () => {
    const row = money.usageRow({ id: usageId, charge: 0 });
    expect(await attempt(settle, { rows: [row, { ...row, id: money.mintId() }] })).toBe(states.notOpen);
    expect(await attempt(settle, { rows: [{ ...row, organization: money.mintId() }] })).toBe(states.notOpen);
    expect(await money.sql('SELECT FROM usage WHERE organization_id = $1', [organizationId])).toEqual([]);
    expect(await attempt(settle, { rows: [row] })).toBeUndefined();
  });

  it('replays in no session of a gateway, which lives on', async () => {
    const session = await money.newSession();
    expect(await attempt(take, { session })).toBe(states.notOpen);
    expect(await attempt(settle, { session })).toBe(states.notOpen);
    expect((await money.poll(session)).alive).toBe(true);
  });
});
