import { formatMoney, parseMoney } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { Account, AccountBalance, Imbalance, LedgerProof, NewTransaction } from './ledger.js';
import { explained } from './refusals.js';

const imbalancesMax = 100;

/**
 * Posts a transaction in the caller's transaction. Answers false for one that was posted before; nothing changes then. Throws
 * `ledger_unbalanced`, and `account_not_allowed` outside of the chart.
 */
export const postTransaction = async (db: RawDb, { organizationId, kind, source, postings }: NewTransaction): Promise<boolean> => {
  const lines = JSON.stringify(postings.map(({ account, unit, amount }) => ({ account, unit, amount: formatMoney(amount) })));
  const rows = await explained(() => db.$queryRaw<{ posted: boolean }[]>`SELECT ledger_post(${organizationId}::uuid, ${kind}, ${source}, ${lines}::jsonb) AS posted`);
  return rows[0]!.posted;
};

/**
 * Locks the grants and the chains that a transaction will change, in the order in which every transaction locks them. A transaction that makes
 * several changes calls it first, with all of their organizations and grants; two such transactions then never wait for each other in a ring.
 */
export const lockForPosting = async (db: RawDb, organizationIds: readonly string[], grantIds: readonly string[]): Promise<void> => {
  await db.$queryRaw`SELECT ledger_lock(${[...organizationIds]}::uuid[], ${[...grantIds]}::uuid[])::text AS locked`;
};

/** The chart of accounts. */
export const listAccounts = (db: RawDb): Promise<Account[]> =>
  db.$queryRaw<Account[]>`SELECT name, kind, normal_side AS "normalSide", meaning FROM ledger_account ORDER BY kind, name`;

/**
 * The balances of an organization's accounts, or of all organizations' together, at a moment or now. Amounts travel as text, exactly.
 */
export const listBalances = async (db: RawDb, organizationId: string | null, at: Date | null = null): Promise<AccountBalance[]> => {
  const rows = await db.$queryRaw<{ account: string; unit: string; balance: string }[]>`
    SELECT p.account, p.unit, sum(p.amount)::text AS balance FROM ledger_posting p
    JOIN ledger_transaction t ON t.organization_id = p.organization_id AND t.id = p.transaction_id
    WHERE (${organizationId}::uuid IS NULL OR p.organization_id = ${organizationId}::uuid) AND (${at}::timestamptz IS NULL OR t.posted_at <= ${at}::timestamptz)
    GROUP BY p.account, p.unit ORDER BY p.account, p.unit`;
  return rows.map(({ account, unit, balance }) => ({ account, unit, balance: parseMoney(balance) }));
};

/**
 * Reads the whole ledger and proves I1: every transaction has postings, and they sum to zero in each unit. One statement, so
 * that it is one snapshot.
 */
export const verifyBalanced = async (db: RawDb): Promise<LedgerProof> => {
  const rows = await db.$queryRaw<{ transactions: bigint; postings: bigint; imbalances: ImbalanceRow[] | null }[]>`
    WITH off AS (
      SELECT t.organization_id, t.id, t.kind, coalesce(p.unit, '') AS unit, coalesce(sum(p.amount), 0) AS sum
      FROM ledger_transaction t LEFT JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
      GROUP BY t.organization_id, t.id, t.kind, p.unit
      HAVING coalesce(sum(p.amount), 0) <> 0 OR p.unit IS NULL
      ORDER BY t.id LIMIT ${imbalancesMax})
    SELECT (SELECT count(*) FROM ledger_transaction) AS transactions, (SELECT count(*) FROM ledger_posting) AS postings,
      (SELECT json_agg(json_build_object('organizationId', organization_id, 'transactionId', id, 'kind', kind, 'unit', unit, 'sum', sum::text)) FROM off)
        AS imbalances`;
  const { transactions, postings, imbalances } = rows[0]!;
  return { transactions, postings, imbalances: (imbalances ?? []).map((row): Imbalance => ({ ...row, sum: parseMoney(row.sum) })) };
};

type ImbalanceRow = Omit<Imbalance, 'sum'> & { readonly sum: string };
