import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { changeThrough, inTransaction, mintId, type ControlPool, type Db } from '@kilotoken/platform';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';

/** Changes of grants are bound to the organization that their transaction names, whichever organization their parameters name. */
const states = { nameless: 'KT040', otherOrganization: 'KT042' } as const;

let money: MoneyDatabase;
let organizationId: string;
let grantId: string;
let child: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  child = (await money.newTenant()).organizationId;
  const tenant = await money.newTenant('10');
  [organizationId, grantId] = [tenant.organizationId, tenant.grantIds[0]!];
  await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [organizationId, child]);
});
afterAll(() => money.drop());

type Change = (db: Db) => Promise<unknown>;

const issue: Change = (db) =>
  db.query("SELECT grant_issue_against($1, $2, 'USD', 1, 'package', 'order-1', 100::smallint, NULL, NULL, NULL, NULL)", [organizationId, mintId(Date.now())]);
const adjust: Change = (db) => db.query("SELECT grant_adjust_against($1, $2, 1, 'ticket-1', 'test', NULL)", [organizationId, grantId]);
const refund: Change = (db) => db.query("SELECT grant_refund_against($1, $2, 1, 'ticket-2', 'test', NULL)", [organizationId, grantId]);
const transfer: Change = (db) => db.query("SELECT grant_transfer_to($1, $2, $3, $4, 1, 'memo-1', 'test')", [organizationId, grantId, child, mintId(Date.now())]);

const withoutActor = (pool: ControlPool, change: Change): Promise<unknown> =>
  inTransaction(pool, async (db) => {
    await db.query("SELECT set_config('kilotoken.organization_id', $1, true)", [organizationId]);
    return change(db);
  });
const grantsOf = async () =>
  money.sql('SELECT id, available, adjusted, refunded, transferred FROM credit_grant WHERE organization_id = ANY ($1) ORDER BY id', [[organizationId, child]]);

describe.each([
  ['issue', issue],
  ['adjustment', adjust],
  ['refund', refund],
  ['transfer', transfer],
] as const)('the %s of a grant', (_name, change) => {
  test('is made for the organization that the transaction names', async () => {
    const before = await grantsOf();
    expect(await sqlStateFrom(changeThrough(money.control, organizationId, change))).toBeUndefined();
    expect(await grantsOf()).not.toEqual(before);
  });

  test('is refused to the control plane for another organization, for none, and without an actor', async () => {
    const before = await grantsOf();
    expect(await sqlStateFrom(changeThrough(money.control, child, change))).toBe(states.otherOrganization);
    expect(await sqlStateFrom(changeThrough(money.control, null, change))).toBe(states.otherOrganization);
    expect(await sqlStateFrom(withoutActor(money.control, change))).toBe(states.nameless);
    expect(await grantsOf()).toEqual(before);
  });

  test('is refused to the owner too where the transaction names another organization, and not where it names none', async () => {
    expect(await sqlStateFrom(changeThrough(money.owner, child, change))).toBe(states.otherOrganization);
    expect(await sqlStateFrom(inTransaction(money.owner, change))).toBeUndefined();
  });
});

test('a transfer is made by the organization that gives, never by the one that receives', async () => {
  expect(await sqlStateFrom(changeThrough(money.control, child, transfer))).toBe(states.otherOrganization);
  expect(await sqlStateFrom(changeThrough(money.control, organizationId, transfer))).toBeUndefined();
  expect(await money.sql('SELECT trim_scale(available)::text AS available FROM credit_grant WHERE organization_id = $1', [child])).toEqual([{ available: '1' }]);
});
