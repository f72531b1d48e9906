import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { adjustGrant } from './grant-change.flow.js';
import { issueGrant } from './grant-issue.flow.js';
import { grantSources, type GrantSource } from './grant.js';
import { listAccounts, listBalances, postTransaction } from './ledger.store.js';

const root = join(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/ledger.md'), 'utf8');

let money: MoneyDatabase;
let prisma: PrismaClient;
let organizationId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createPrisma(money.database.ownerUrl, { applicationName: 'test' });
});
beforeEach(async () => {
  organizationId = (await money.newTenant('10')).organizationId;
});
afterAll(async () => {
  await prisma.$disconnect();
  await money.drop();
});

/** Rows of the page's tables whose first cell is a name in backquotes. */
const rowsOfPage = (heading: string): string[][] => {
  const table = page.slice(page.indexOf(heading)).split('\n').filter((line) => line.startsWith('|')).slice(2);
  const end = table.findIndex((line) => !line.startsWith('| `'));
  return table.slice(0, end === -1 ? undefined : end).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
};
const namesIn = (cell: string): string[] => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name!);
const postedAgainst = async (): Promise<string[]> =>
  (await money.sql<{ account: string }>("SELECT account FROM ledger_posting WHERE organization_id = $1 AND account <> 'grant_liability' ORDER BY account", [organizationId])).map(({ account }) => account);

describe('the chart of accounts', () => {
  test('is the one that docs/ledger.md prints', async () => {
    const printed = rowsOfPage('## Chart of accounts').map(([name, kind, normalSide, meaning]) => ({ name: namesIn(name!)[0], kind, normalSide, meaning }));
    expect(printed).toEqual(await listAccounts(prisma));
  });

  test('allows the counter-accounts that docs/ledger.md prints, the first by default', async () => {
    const printed = rowsOfPage('| source of the grant').flatMap(([sources, accounts]) => namesIn(sources!).map((source) => ({ source, accounts: namesIn(accounts!) })));
    const rows = await money.sql<{ source: string; accounts: string[]; usual: string }>(
      'SELECT source, array_agg(account ORDER BY is_default DESC, account) AS accounts, min(account) FILTER (WHERE is_default) AS usual FROM grant_counter_account GROUP BY source',
    );
    expect(printed.sort((one, other) => (one.source < other.source ? -1 : 1))).toEqual(rows.map(({ source, accounts }) => ({ source, accounts })).sort((one, other) => (one.source < other.source ? -1 : 1)));
    for (const { accounts, usual } of rows) expect(accounts[0]).toBe(usual);
  });

  test('has a counter-account for every source of grants', async () => {
    const sources = (await money.sql<{ source: string }>('SELECT DISTINCT source FROM grant_counter_account')).map(({ source }) => source);
    expect(sources.sort()).toEqual([...grantSources, 'transfer'].sort());
  });
});

describe('a grant', () => {
  const issue = (source: GrantSource, counterAccount?: string) =>
    issueGrant(prisma, { organizationId, unit: 'USD', amount: '1', source, reference: `${source}-${counterAccount}`, counterAccount: counterAccount ?? null });

  test.each([['package', 'stripe_clearing'], ['package', 'invoice_receivable'], ['prepaid', 'cash_clearing'], ['credit_line', 'invoice_receivable'], ['promotion', 'promotion_expense']] as const)(
    'of source %s may stand against %s',
    async (source, account) => {
      await issue(source, account);
      expect(await postedAgainst()).toEqual(['cash_clearing', account].sort());
    },
  );

  test.each([['package', 'promotion_expense'], ['promotion', 'cash_clearing'], ['free_quota', 'stripe_clearing'], ['package', 'usage_revenue'], ['package', 'grant_liability'], ['package', 'nowhere']] as const)(
    'of source %s may not stand against %s',
    async (source, account) => {
      await expect(issue(source, account)).rejects.toMatchObject({ code: 'account_not_allowed' });
      expect(await postedAgainst()).toEqual(['cash_clearing']);
    },
  );

  test('keeps its account: issued again under the same reference against another one, it is refused', async () => {
    const { id } = await issue('package', 'stripe_clearing');
    const again = { organizationId, unit: 'USD', amount: '1', source: 'package', reference: 'package-stripe_clearing' } as const;
    expect(await issueGrant(prisma, again)).toMatchObject({ id });
    await expect(issueGrant(prisma, { ...again, counterAccount: 'cash_clearing' })).rejects.toMatchObject({ code: 'grant_reference_used' });
  });

  test('is adjusted against an account that the chart allows', async () => {
    const { id: grantId } = await issue('package');
    const adjustment = { organizationId, grantId, amount: '1', reference: 'a-1', reason: 'test' };
    await adjustGrant(prisma, { ...adjustment, counterAccount: 'promotion_expense' });
    expect((await listBalances(prisma, organizationId)).map(({ account }) => account)).toContain('promotion_expense');
    await expect(adjustGrant(prisma, { ...adjustment, counterAccount: 'manual_adjustment' })).rejects.toMatchObject({ code: 'grant_reference_used' });
    await expect(adjustGrant(prisma, { ...adjustment, reference: 'a-2', counterAccount: 'cash_clearing' })).rejects.toMatchObject({ code: 'account_not_allowed' });
  });
});

describe('a posting outside of the chart is refused', () => {
  const post = (kind: string, ...postings: [account: string, amount: bigint, unit?: string][]) =>
    postTransaction(prisma, { organizationId, kind, source: 'x', postings: postings.map(([account, amount, unit = 'USD']) => ({ account, amount, unit })) });

  test.each([
    ['an unknown account', () => post('grant_issued', ['nowhere', 1n], ['grant_liability', -1n])],
    ['an unknown kind', () => post('gift', ['promotion_expense', 1n], ['grant_liability', -1n])],
    ['an account of another kind of transaction', () => post('grant_issued', ['usage_revenue', 1n], ['grant_liability', -1n])],
    ['the wrong side', () => post('grant_issued', ['cash_clearing', -1n], ['grant_liability', 1n])],
  ])('%s', async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'account_not_allowed' });
  });

  test.each([
    ['no postings', () => post('grant_issued')],
    ['postings of zero only', () => post('grant_issued', ['cash_clearing', 0n], ['grant_liability', 0n])],
    ['a sum that is not zero', () => post('grant_issued', ['cash_clearing', 2n], ['grant_liability', -1n])],
    ['units that cancel out only together', () => post('grant_issued', ['cash_clearing', 1n], ['grant_liability', -1n, 'EUR'])],
  ])('%s', async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'ledger_unbalanced' });
  });

  test.each([
    ['no amount', [{ account: 'cash_clearing', unit: 'USD' }, { account: 'grant_liability', unit: 'USD' }]],
    ['an amount that is no number', [{ account: 'cash_clearing', unit: 'USD', amount: 'NaN' }, { account: 'grant_liability', unit: 'USD', amount: 'NaN' }]],
  ])('%s', async (_name, postings) => {
    expect(await sqlStateFrom(money.sql("SELECT ledger_post($1, 'grant_issued', 'x', $2)", [organizationId, JSON.stringify(postings)]))).toBe('KT010');
  });

  test('two transactions of one organization in a call', async () => {
    const transaction = { organization: organizationId, kind: 'invoice_rounded', postings: [{ account: 'rounding', unit: 'USD', amount: '1' }, { account: 'cash_clearing', unit: 'USD', amount: '-1' }] };
    expect(await sqlStateFrom(money.sql('SELECT ledger_post_many($1)', [JSON.stringify([{ ...transaction, source: 'a' }, { ...transaction, source: 'b' }])]))).toBe('KT010');
  });

  test('even when its owner inserts it past the function', async () => {
    const insert = "INSERT INTO ledger_posting SELECT organization_id, transaction_id, 9, 'nowhere', unit, amount FROM ledger_posting WHERE organization_id = $1 LIMIT 1";
    expect(await sqlStateFrom(money.sql(insert, [organizationId]))).toBe('23503');
    const update = "UPDATE credit_grant SET counter_account = 'promotion_expense' WHERE organization_id = $1";
    expect(await sqlStateFrom(money.sql(update, [organizationId]))).toBe('23503');
  });
});

test('one function inserts postings and moves chains on: ledger_post_many', () => {
  const folder = join(root, 'prisma/functions');
  const writers = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sql'))
    .filter((name) => /INSERT INTO ledger_(posting|transaction)|UPDATE ledger_(chain|posting|transaction)/i.test(readFileSync(join(folder, name), 'utf8')));
  expect(writers).toEqual(['ledger/ledger_post_many.sql']);
});
