import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { exact } from '../shapes/exact.js';
import { globalId } from '../shapes/global-id.js';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';
import type { LedgerPosting, LedgerTransaction } from './ledger.type.js';

interface TransactionRow {
  readonly organizationId: string;
  readonly id: string;
  readonly kind: string;
  readonly sourceId: string;
  readonly postedAt: Date;
  readonly position: bigint;
  readonly hash: string;
}

export interface TransactionPlace {
  readonly organizationId: string;
  readonly id: string;
}

const columns = `t.organization_id AS "organizationId", t.id, t.kind, t.source_id AS "sourceId", t.posted_at AS "postedAt", t.position, encode(t.hash, 'hex') AS hash`;
const placeKey = ({ organizationId, id }: TransactionPlace): string => `${organizationId} ${id}`;
const placeValues = (places: readonly TransactionPlace[]): [string[], string[]] => [places.map(({ organizationId }) => organizationId), places.map(({ id }) => id)];

export const toTransaction = ({ id, ...row }: TransactionRow): LedgerTransaction => ({
  __typename: 'LedgerTransaction', ...row, id: globalId('LedgerTransaction', row.organizationId, id), transactionId: id,
});

/** The transactions of each organization, the last first. */
export const listTransactions = async (db: Db, organizationIds: readonly string[], { first, after }: Page): Promise<TransactionRow[][]> => {
  const { rows } = await db.query<TransactionRow>(
    `SELECT t.* FROM unnest($1::uuid[]) o(id) CROSS JOIN LATERAL (
       SELECT ${columns} FROM ledger_transaction t WHERE t.organization_id = o.id AND ($2::bigint IS NULL OR t.position < $2) ORDER BY t.position DESC LIMIT $3) t`,
    [organizationIds, after?.[0] ?? null, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

export const findTransactions = async (db: Db, places: readonly TransactionPlace[]): Promise<(TransactionRow | null)[]> => {
  const { rows } = await db.query<TransactionRow>(
    `SELECT ${columns} FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, id) JOIN ledger_transaction t ON t.organization_id = w.organization_id AND t.id = w.id`,
    placeValues(places),
  );
  return rowByKey(places.map(placeKey), rows, placeKey);
};

export const listPostings = async (db: Db, places: readonly TransactionPlace[]): Promise<LedgerPosting[][]> => {
  const { rows } = await db.query<TransactionPlace & LedgerPosting>(
    `SELECT p.organization_id AS "organizationId", p.transaction_id AS id, p.account, p.unit, p.amount::text AS amount
     FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, id) JOIN ledger_posting p ON p.organization_id = w.organization_id AND p.transaction_id = w.id ORDER BY p.line`,
    placeValues(places),
  );
  return rowsByKey(places.map(placeKey), rows, placeKey).map((lines) => lines.map(({ account, unit, amount }) => ({ account, unit, amount: exact(amount) })));
};
