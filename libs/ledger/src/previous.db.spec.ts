import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createPool, MIGRATIONS_FOLDER, migrateDatabase } from '@kilotoken/platform';
import type pg from 'pg';
import { randomUUID } from 'node:crypto';
import { expectInvariants } from '../../../test/support/invariants.js';
import { createEmptyDatabase } from '../../../test/support/postgres.js';

/**
 * An upgrade while the release before works. Its functions meet the tables of this release between the migrations and the definitions; this
 * release's functions then go on with what they began, under the names that the release before calls.
 */
let database: Awaited<ReturnType<typeof createEmptyDatabase>>;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createEmptyDatabase();
  // Migrations alone: the functions are those of the release before.
  await migrateDatabase(database.ownerUrl, { migrationsFolder: MIGRATIONS_FOLDER });
  pool = createPool({ connectionString: database.ownerUrl, max: 2, applicationName: 'test' });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const call = async <Result>(expression: string, values: unknown[]): Promise<Result> => (await pool.query<{ result: Result }>(`SELECT ${expression} AS result`, values)).rows[0]!.result;

const newOrganization = async (): Promise<string> => {
  const id = randomUUID();
  await pool.query("INSERT INTO price_book (id, name) SELECT o, 'book ' || o FROM (SELECT $1::uuid AS o) x", [id]);
  await pool.query("INSERT INTO organization (id, name, slug, account_root_id, price_book_id) SELECT o, 'Acme', 'o-' || o, o, o FROM (SELECT $1::uuid AS o) x", [id]);
  return id;
};
const issue = (organization: string, amount: string, source = 'prepaid') =>
  call<string>("grant_issue($1, gen_random_uuid(), 'USD', $2, $3, gen_random_uuid()::text, NULL, NULL, NULL, NULL)", [organization, amount, source]);
const lease = async (session: string, organization: string, need: string): Promise<string> =>
  (await call<{ leases: { leaseId: string }[] }>("lease_take($1, $2, uuidv7(), 'USD', 'mock', $3, $3, 0, uuidv7())", [session, organization, need])).leases[0]!.leaseId;
const requestRefund = (organization: string, grant: string, reference: string) =>
  call<string | null>("trim_scale(grant_refund_request($1, $2, $3, 'test'))::text", [organization, grant, reference]);
const accounts = async (organization: string): Promise<Record<string, string>> =>
  Object.fromEntries((await pool.query<{ account: string; amount: string }>('SELECT account, trim_scale(sum(amount))::text AS amount FROM ledger_posting WHERE organization_id = $1 GROUP BY 1', [organization])).rows.map(({ account, amount }) => [account, amount]));

test('the release before issues, adjusts and refunds on the tables of this one, and this one finishes its refunds', async () => {
  const organization = await newOrganization();
  const session = randomUUID();
  await call('session_start($1, $2, $3, 1, $4)', [session, 'gateway', 'here', '0.2.0']);
  expect((await pool.query("SELECT 1 FROM pg_proc WHERE proname = 'grant_refund_against'")).rowCount).toBe(0);

  const held = await issue(organization, '10');
  const leaseId = await lease(session, organization, '4');
  expect(await requestRefund(organization, held, 'r-1')).toBeNull();
  const whole = await issue(organization, '5', 'promotion');
  expect(await call('grant_adjust($1, $2, 1, $3, $4)', [organization, whole, 'a-1', 'test'])).toBe(true);
  expect(await requestRefund(organization, whole, 'r-2')).toBe('6');

  expect((await migrateDatabase(database.ownerUrl)).defined).toContain('functions/ledger/grant_refund_against.sql');
  await call('lease_return($1, $2)', [session, JSON.stringify([{ organization, lease: leaseId, keep: '0', close: true }])]);
  expect(await call('grants_close(100)', [])).toBe(1);
  expect([await requestRefund(organization, held, 'r-1'), await requestRefund(organization, whole, 'r-2')]).toEqual(['10', '6']);
  expect(await call('grant_adjust($1, $2, 1, $3, $4)', [organization, whole, 'a-1', 'test'])).toBe(false);
  await expect(requestRefund(organization, held, 'r-3')).rejects.toMatchObject({ code: 'KT011' });
  const next = await issue(organization, '3', 'sla_credit');
  expect(await call('grant_adjust($1, $2, -1, $3, $4)', [organization, next, 'a-2', 'test'])).toBe(true);
  expect(await accounts(organization)).toEqual({ cash_clearing: '0', grant_liability: '-2', manual_adjustment: '0', promotion_expense: '2' });
  await expectInvariants(database.ownerUrl);
});
