import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parseMoney } from '@kilotoken/money';
import { changeAs, controlLoginName, createPool, ensureControlLogin, throughPg, type RawDb } from '@kilotoken/platform';
import { createControlClient, createPrisma, type ControlClient, type PrismaClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { randomBytes } from 'node:crypto';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { adjustGrant, refundGrant, transferGrant } from './grant-change.flow.js';
import { issueGrant } from './grant-issue.flow.js';
import { listGrants } from './grant.store.js';
import { lockForPosting, postTransaction } from './ledger.store.js';

/** Changes of grants inside a transaction of their caller, beside what the caller writes itself. */
let money: MoneyDatabase;
let prisma: PrismaClient;
let control: ControlClient;
let pool: pg.Pool;
let organizationId: string;
let child: string;
let grantId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createPrisma(money.database.ownerUrl, { applicationName: 'test', connectionsMax: 8 });
  pool = createPool({ connectionString: money.database.ownerUrl, max: 8, applicationName: 'test' });
  await money.sql('CREATE TABLE payment (id text PRIMARY KEY, grant_id uuid); GRANT SELECT, INSERT, UPDATE ON payment TO kilotoken_control');
  const controlUrl = await ensureControlLogin(money.database.ownerUrl, controlLoginName(money.database.name), randomBytes(16).toString('hex'));
  control = createControlClient(controlUrl, { kind: 'system', id: 'test', name: null }, { applicationName: 'test' });
});
beforeEach(async () => {
  child = (await money.newTenant()).organizationId;
  const tenant = await money.newTenant('10');
  organizationId = tenant.organizationId;
  grantId = tenant.grantIds[0]!;
  await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [organizationId, child]);
  await money.sql('DELETE FROM payment');
});
afterEach(async () => {
  await expectInvariants(money.database.ownerUrl);
});
afterAll(async () => {
  await Promise.all([prisma.$disconnect(), control.$disconnect()]);
  await pool.end();
  await money.drop();
});

type Work = (db: RawDb) => Promise<unknown>;

/** The same work in a transaction of either client. */
const inPrisma = (work: Work): Promise<unknown> => prisma.$transaction((db) => work(db));
const inPg = async (work: Work): Promise<unknown> => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(throughPg(client));
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
};

const change = (reference: string) => ({ organizationId, grantId, reference, reason: 'test' });

/** A transaction of the control plane's login, which may call the functions that change grants and write no row of the ledger. */
const inControl = (work: Work): Promise<unknown> => changeAs(control, organizationId, (db) => work(db));

/** A payment with all that follows from it: every kind of change of a grant in one transaction. */
const pay: Work = async (db) => {
  await lockForPosting(db, [organizationId, child], [grantId]);
  await db.$queryRaw`INSERT INTO payment VALUES ('payment-1')`;
  const grant = await issueGrant(db, { organizationId, unit: 'USD', amount: '5', source: 'package', reference: 'payment-1', counterAccount: 'stripe_clearing' });
  await db.$queryRaw`UPDATE payment SET grant_id = ${grant.id}::uuid`;
  await adjustGrant(db, { ...change('a-1'), amount: '-1' });
  await refundGrant(db, { ...change('r-1'), amount: '2' });
  await transferGrant(db, { ...change('t-1'), toOrganizationId: child, amount: '3' });
};
const payAndRound: Work = async (db) => {
  await pay(db);
  await postTransaction(db, {
    organizationId, kind: 'invoice_rounded', source: 'invoice-1',
    postings: [{ account: 'rounding', unit: 'USD', amount: 1n }, { account: 'invoice_receivable', unit: 'USD', amount: -1n }],
  });
};

type Written = Record<'payments' | 'grants' | 'adjustments' | 'refunds' | 'transfers' | 'transactions' | 'links' | 'events', number>;

/** Everything that `pay` writes, in any table. */
const written = async () => {
  const [row] = await money.sql<Written>(
    `SELECT (SELECT count(*) FROM payment)::int AS payments, (SELECT count(*) FROM credit_grant WHERE organization_id = ANY ($1))::int AS grants,
       (SELECT count(*) FROM grant_adjustment WHERE organization_id = ANY ($1))::int AS adjustments, (SELECT count(*) FROM grant_refund WHERE organization_id = ANY ($1))::int AS refunds,
       (SELECT count(*) FROM grant_transfer WHERE organization_id = ANY ($1))::int AS transfers, (SELECT count(*) FROM ledger_transaction WHERE organization_id = ANY ($1))::int AS transactions,
       (SELECT coalesce(sum(position), 0) FROM ledger_chain WHERE organization_id = ANY ($1))::int AS links, (SELECT count(*) FROM outbox_event WHERE organization_id = ANY ($1))::int AS events`,
    [[organizationId, child]],
  );
  return { ...row!, available: (await money.grant(grantId)).available };
};

const clients = [
  ['Prisma', inPrisma, payAndRound, 6],
  ['node-postgres', inPg, payAndRound, 6],
  ['the control plane', inControl, pay, 5],
] as const;
describe.each(clients)('a transaction of %s', (_name, inTransaction, work, transactions) => {
  test('commits a payment, its grant and all other changes together', async () => {
    const before = await written();
    await inTransaction(work);
    const after = await written();
    expect(after).toMatchObject({ payments: 1, grants: 3, adjustments: 1, refunds: 1, transfers: 1, available: '4' });
    expect(after.transactions).toBe(before.transactions + transactions);
    expect(after.links).toBe(after.transactions);
    expect((await listGrants(prisma, child))[0]).toMatchObject({ available: parseMoney('3') });
  });

  test('leaves nothing when its caller fails after the last change', async () => {
    const before = await written();
    await expect(inTransaction((db) => work(db).then(() => Promise.reject(new Error('the order is gone'))))).rejects.toThrow('the order is gone');
    expect(await written()).toEqual(before);
  });

  test('leaves nothing when its connection is killed before the commit', async () => {
    const before = await written();
    const killed = inTransaction(async (db) => {
      await work(db);
      const [backend] = await db.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
      await money.sql('SELECT pg_terminate_backend($1)', [backend!.pid]);
    });
    await expect(killed).rejects.toThrow();
    expect(await written()).toEqual(before);
    // The pool may not have noticed yet that its connection is gone.
    await inTransaction(work).catch(() => inTransaction(work));
    expect(await written()).toMatchObject({ payments: 1, available: '4' });
  });

  test('leaves nothing when a change is refused, and the refusal has its code', async () => {
    const before = await written();
    const refused = inTransaction((db) => work(db).then(() => refundGrant(db, { ...change('r-2'), amount: '4.000000000001' })));
    await expect(refused).rejects.toMatchObject({ code: 'grant_below_floor' });
    expect(await written()).toEqual(before);
  });
});

test('transactions that lock first never deadlock, in whatever order they change organizations and grants', async () => {
  const other = await money.issue('1000');
  const grants = [grantId, other];
  await money.sql("SELECT grant_adjust_against($1, $2, 1000, 'start', 'test', NULL)", [organizationId, grantId]);
  const work = (index: number): Work => async (db) => {
    await lockForPosting(db, [child, organizationId], grants);
    const [first, second] = index % 2 ? [grants[0]!, grants[1]!] : [grants[1]!, grants[0]!];
    await adjustGrant(db, { ...change(`a-${index}`), grantId: first, amount: '-1' });
    await transferGrant(db, { ...change(`t-${index}`), grantId: second, toOrganizationId: child, amount: '1' });
    await issueGrant(db, { organizationId: index % 2 ? child : organizationId, unit: 'USD', amount: '1', source: 'package', reference: `p-${index}` });
    await refundGrant(db, { ...change(`r-${index}`), grantId: first, amount: '1' });
  };
  const workers = Array.from({ length: 8 }, async (_, worker) => {
    for (let index = worker; index < 40; index += 8) await (worker % 2 ? inPrisma : inPg)(work(index));
  });
  await Promise.all(workers);
  expect(await listGrants(prisma, child)).toHaveLength(60);
});
