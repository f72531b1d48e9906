import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { asOrganization, createPool, mintId } from '@kilotoken/platform';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.js';
import { adjustGrant, refundGrant, transferGrant } from './grant-change.flow.js';
import { issueGrant } from './grant-issue.flow.js';
import type { NewGrant } from './grant.js';
import { listGrants } from './grant.store.js';
import { listBalances, postTransaction, verifyBalanced } from './ledger.store.js';

let database: TestDatabase;
let prisma: PrismaClient;
let app: pg.Pool;
let organizationId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  prisma = createPrisma(database.ownerUrl, { applicationName: 'test' });
  app = createPool({ connectionString: database.appUrl, max: 2, applicationName: 'test' });
  await prisma.priceBook.create({ data: { id: mintId(Date.now()), name: 'list' } });
});

afterAll(async () => {
  await prisma.$disconnect();
  await app.end();
  await database.drop();
});

const newOrganization = async (): Promise<string> => {
  const id = mintId(Date.now());
  const { id: priceBookId } = await prisma.priceBook.findFirstOrThrow();
  await prisma.organization.create({ data: { id, name: 'Acme', slug: `o-${id}`, accountRootId: id, priceBookId } });
  return id;
};

beforeEach(async () => {
  organizationId = await newOrganization();
});

const issue = (change: Partial<NewGrant> = {}) =>
  prisma.$transaction((db) => issueGrant(db, { organizationId, unit: 'USD', amount: '10', source: 'package', reference: 'order-1', ...change }));

const balances = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await listBalances(prisma, organizationId)).map(({ account, unit, balance }) => [`${account} ${unit}`, formatMoney(balance)]));

/** What the rater posts for use that was rated and cost this much. */
const rateUse = (rated: string, charge: string, cost: string) =>
  app.query('SELECT rating_post($1, $2, $3, $4, $5)', [
    mintId(Date.now()),
    '[]',
    '[]',
    JSON.stringify([{ organization: organizationId, unit: 'USD', rated, charge, cost, cost_currency: 'USD' }]),
    '[]',
  ]);

test('one dollar, from payment to refund: the worked example of docs/ledger.md', async () => {
  const labs = await newOrganization();
  await prisma.$executeRaw`UPDATE organization SET account_root_id = ${organizationId}::uuid WHERE id = ${labs}::uuid`;
  const owed = async (): Promise<string> => (await balances())['grant_liability USD']!;
  const { id: grantId } = await issue({ counterAccount: 'stripe_clearing', expiresAt: new Date(Date.now() + 3_600_000) });
  const change = { organizationId, grantId, reference: 'memo-1', reason: 'test' };
  expect(await owed()).toBe('-10');
  await rateUse('0.00036', '0.00036', '0.00024');
  await prisma.$executeRaw`UPDATE credit_grant SET settled = settled + 0.00036, available = available - 0.00036 WHERE id = ${grantId}::uuid`;
  expect(await owed()).toBe('-9.99964');
  await transferGrant(prisma, { ...change, toOrganizationId: labs, amount: '4' });
  expect(await owed()).toBe('-5.99964');
  await refundGrant(prisma, { ...change, amount: '2' });
  expect(await owed()).toBe('-3.99964');
  await prisma.$executeRaw`UPDATE database_mark SET clock_shift = '2 hours'`;
  try {
    await app.query('SELECT grants_expire(10)');
  } finally {
    await prisma.$executeRaw`UPDATE database_mark SET clock_shift = '0'`;
  }
  expect(await balances()).toEqual({
    'breakage_revenue USD': '-3.99964',
    'grant_liability USD': '0',
    'stripe_clearing USD': '8',
    'transfer_clearing USD': '-4',
    'usage_revenue USD': '-0.00036',
    'vendor_cost USD': '0.00024',
    'vendor_payable USD': '-0.00024',
  });
});

describe('the worked example of every flow', () => {
  test('a package that is paid is owed to the customer', async () => {
    await issue();
    expect(await balances()).toEqual({ 'cash_clearing USD': '10', 'grant_liability USD': '-10' });
  });

  test('a promotion is owed to the customer and costs us', async () => {
    await issue({ source: 'promotion', amount: '2.5' });
    expect(await balances()).toEqual({ 'promotion_expense USD': '2.5', 'grant_liability USD': '-2.5' });
  });

  test('use is revenue, what lanes cost is owed to them, and what exceeded a hold is our loss', async () => {
    await issue();
    await rateUse('0.00036', '0.00036', '0.00024');
    await rateUse('0.000000000003', '0.000000000001', '0');
    expect(await balances()).toEqual({
      'cash_clearing USD': '10',
      'grant_liability USD': '-9.999639999999',
      'uncollected USD': '0.000000000002',
      'usage_revenue USD': '-0.000360000003',
      'vendor_cost USD': '0.00024',
      'vendor_payable USD': '-0.00024',
    });
  });

  test('what expires is no longer owed', async () => {
    await issue({ expiresAt: new Date(Date.now() + 3_600_000) });
    await prisma.$executeRaw`UPDATE database_mark SET clock_shift = '2 hours'`;
    try {
      await app.query('SELECT grants_expire(10)');
      expect(await balances()).toEqual({ 'breakage_revenue USD': '-10', 'cash_clearing USD': '10', 'grant_liability USD': '0' });
      expect(await listGrants(prisma, organizationId)).toEqual([expect.objectContaining({ available: 0n, removed: parseMoney('10'), used: 0n })]);
    } finally {
      await prisma.$executeRaw`UPDATE database_mark SET clock_shift = '0'`;
    }
  });

  test('a refund gives back what remains, to where it came from', async () => {
    const { id: grantId } = await issue();
    await rateUse('4', '4', '0');
    await prisma.$executeRaw`UPDATE credit_grant SET settled = 4, available = 6 WHERE id = ${grantId}::uuid`;
    expect(await refundGrant(prisma, { organizationId, grantId, reference: 'ticket-1', reason: 'not wanted' })).toMatchObject({ refunded: parseMoney('6') });
    expect(await balances()).toEqual({ 'cash_clearing USD': '4', 'grant_liability USD': '0', 'usage_revenue USD': '-4' });
  });

  test('what is given by hand costs us, what is taken costs us less', async () => {
    const { id: grantId } = await issue();
    const adjust = (amount: string) => adjustGrant(prisma, { organizationId, grantId, amount, reference: `ticket${amount}`, reason: 'an outage' });
    await adjust('2.5');
    expect(await balances()).toEqual({ 'cash_clearing USD': '10', 'grant_liability USD': '-12.5', 'manual_adjustment USD': '2.5' });
    expect(await adjust('-12.5')).toMatchObject({ granted: 0n, available: 0n });
    expect(await balances()).toEqual({ 'cash_clearing USD': '10', 'grant_liability USD': '0', 'manual_adjustment USD': '-10' });
  });

  test('what rounding an invoice leaves is ours, so that the customer owes whole cents', async () => {
    const use = '3.141592653589';
    await issue({ source: 'credit_line', amount: use });
    await rateUse(use, use, '0');
    const rest = parseMoney('0.001592653589');
    const postings = [{ account: 'rounding', unit: 'USD', amount: rest }, { account: 'cash_clearing', unit: 'USD', amount: -rest }];
    const rounding = { organizationId, kind: 'invoice_rounded', source: 'invoice-1', postings };
    expect(await postTransaction(prisma, rounding)).toBe(true);
    expect(await postTransaction(prisma, rounding)).toBe(false);
    expect(await balances()).toEqual({ 'cash_clearing USD': '3.14', 'grant_liability USD': '0', 'rounding USD': '0.001592653589', 'usage_revenue USD': `-${use}` });
  });

  test('leaves the ledger balanced', async () => {
    const proof = await verifyBalanced(prisma);
    expect(proof.imbalances).toEqual([]);
    expect(proof.transactions).toBe(BigInt(await prisma.ledgerTransaction.count()));
  });
});

describe('issuing a grant', () => {
  test('keeps every digit', async () => {
    const amount = '99999999999999.999999999999';
    const grant = await issue({ amount });
    expect(grant).toMatchObject({ granted: parseMoney(amount), available: parseMoney(amount), held: 0n, used: 0n, removed: 0n, scopeModels: null, priority: 100 });
    expect(await listGrants(prisma, organizationId)).toEqual([grant]);
  });

  test('once, however often and by however many it is asked', async () => {
    const terms = { scopeModels: ['mock', 'second'], priority: 7, expiresAt: new Date(Date.now() + 3_600_000) };
    const grants = await Promise.all(Array.from({ length: 8 }, () => issue(terms)));
    grants.push(await issue({ ...terms, scopeModels: ['second', 'mock'] }));
    expect(new Set(grants.map(({ id }) => id)).size).toBe(1);
    expect(await listGrants(prisma, organizationId)).toHaveLength(1);
    expect(await balances()).toEqual({ 'cash_clearing USD': '10', 'grant_liability USD': '-10' });
  });

  test.each<[string, Partial<NewGrant>]>([
    ['another amount', { amount: '10.000000000001' }],
    ['another unit', { unit: 'EUR' }],
    ['another priority', { priority: 1 }],
    ['other models', { scopeModels: ['mock'] }],
    ['another end', { expiresAt: new Date(Date.now() + 9_000_000) }],
    ['another beginning', { effectiveAt: new Date(Date.now() + 9_000_000) }],
  ])('refuses a reference that stands for %s', async (_name, change) => {
    await issue();
    await expect(issue(change)).rejects.toMatchObject({ code: 'grant_reference_used' });
    expect(await balances()).toEqual({ 'cash_clearing USD': '10', 'grant_liability USD': '-10' });
  });

  test('knows references by source and organization', async () => {
    await issue();
    await issue({ source: 'promotion' });
    expect(await listGrants(prisma, organizationId)).toHaveLength(2);
    const first = organizationId;
    organizationId = await newOrganization();
    await issue();
    expect(await listGrants(prisma, organizationId)).toHaveLength(1);
    expect(await listGrants(prisma, first)).toHaveLength(2);
  });

  test.each<[string, object]>([
    ['zero', { amount: '0' }],
    ['minus one', { amount: '-1' }],
    ['minus zero', { amount: '-0' }],
    ['13 decimals', { amount: '0.0000000000001' }],
    ['grouping', { amount: '1,000' }],
    ['an exponent', { amount: '1e3' }],
    ['NaN', { amount: 'NaN' }],
    ['a number', { amount: 10 }],
    ['2⁶³ with a sign', { amount: '+9223372036854775808' }],
    ['27 digits', { amount: '1'.repeat(27) }],
    ['no unit', { unit: '' }],
    ['a unit in mixed case', { unit: 'Usd' }],
    ['a source that needs another side', { source: 'transfer' }],
    ['an empty reference', { reference: '' }],
    ['a reference with NUL', { reference: 'a\0' }],
    ['no models at all', { scopeModels: [] }],
    ['an end in the past', { expiresAt: new Date(0) }],
    ['an end before its beginning', { effectiveAt: new Date(Date.now() + 9_000_000), expiresAt: new Date(Date.now() + 8_000_000) }],
    ['a field of its own', { available: '1000' }],
  ])('refuses %s, and posts nothing', async (_name, change) => {
    await expect(issue(change)).rejects.toMatchObject({ code: 'grant_invalid' });
    expect(await balances()).toEqual({});
  });

  test('refuses an organization that does not exist', async () => {
    await expect(issue({ organizationId: '01890000-0000-7000-8000-000000000000' })).rejects.toMatchObject({ code: 'organization_not_found' });
  });

  test('lists grants in the order in which they burn', async () => {
    const soon = new Date(Date.now() + 3_600_000);
    await issue({ reference: 'late' });
    await issue({ reference: 'soon', expiresAt: soon });
    await issue({ reference: 'free', source: 'promotion' });
    await issue({ reference: 'first', priority: 1 });
    expect((await listGrants(prisma, organizationId)).map(({ reference }) => reference)).toEqual(['first', 'soon', 'free', 'late']);
  });
});

describe('the proof of balance', () => {
  test('finds a transaction that does not sum to zero, and one without postings', async () => {
    const broken = await createTestDatabase();
    const owner = createPrisma(broken.ownerUrl, { applicationName: 'test' });
    try {
      const [off, empty] = [mintId(Date.now()), mintId(Date.now())];
      for (const [position, id] of [[1n, off], [2n, empty]] as const) {
        await owner.ledgerTransaction.create({ data: { organizationId, id, kind: 'test', sourceId: id, position, previousHash: Buffer.alloc(32), hash: Buffer.alloc(32) } });
      }
      const posting = { organizationId, transactionId: off, account: 'cash_clearing' };
      await owner.ledgerPosting.createMany({
        data: [
          { ...posting, line: 1, unit: 'USD', amount: '10' },
          { ...posting, line: 2, unit: 'USD', amount: '-9.999999999999' },
          // Two units that would cancel out if they were one.
          { ...posting, line: 3, unit: 'EUR', amount: '-0.000000000001' },
        ],
      });
      const { imbalances } = await verifyBalanced(owner);
      expect(imbalances).toEqual([
        { organizationId, transactionId: off, kind: 'test', unit: 'EUR', sum: -1n },
        { organizationId, transactionId: off, kind: 'test', unit: 'USD', sum: 1n },
        { organizationId, transactionId: empty, kind: 'test', unit: '', sum: 0n },
      ]);
    } finally {
      await owner.$disconnect();
      await broken.drop();
    }
  });
});

describe('the application', () => {
  test('sees the grants and postings of one organization, and none without', async () => {
    await issue();
    const counts = ['credit_grant AS grants', 'ledger_transaction AS transactions', 'ledger_posting AS postings'];
    const count = async (client: pg.Pool | pg.PoolClient) => {
      const columns = counts.map((text) => text.split(' AS ')).map(([table, name]) => `(SELECT count(*)::int FROM ${table}) AS ${name}`);
      return (await client.query(`SELECT ${columns.join(', ')}`)).rows[0] as unknown;
    };
    expect(await count(app)).toEqual({ grants: 0, transactions: 0, postings: 0 });
    expect(await asOrganization(app, organizationId, count)).toEqual({ grants: 1, transactions: 1, postings: 2 });
    expect(await asOrganization(app, await newOrganization(), count)).toEqual({ grants: 0, transactions: 0, postings: 0 });
  });

  test.each(['credit_grant', 'ledger_transaction', 'ledger_posting'])('cannot write %s', async (table) => {
    const own = (sql: string) => asOrganization(app, organizationId, (client) => client.query(sql));
    await expect(own(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
    await expect(own(`UPDATE ${table} SET organization_id = organization_id`)).rejects.toMatchObject({ code: '42501' });
    await expect(own(`INSERT INTO ${table} DEFAULT VALUES`)).rejects.toMatchObject({ code: '42501' });
  });

  test('can neither issue a grant nor post by itself', async () => {
    const own = (sql: string) => asOrganization(app, organizationId, (client) => client.query(sql, [organizationId]));
    await expect(own(`SELECT grant_issue_against($1, uuidv7(), 'USD', 10, 'package', 'x', 1::smallint, NULL, NULL, NULL, NULL)`)).rejects.toMatchObject({ code: '42501' });
    await expect(own(`SELECT ledger_post($1, 'x', 'x', '[]')`)).rejects.toMatchObject({ code: '42501' });
  });
});
