import type { RawDb } from '@kilotoken/platform';
import type { ChainBreak, ChainProblem } from './chain.js';

/** Hashes travel as hexadecimal text. */
export interface ChainHead {
  readonly organizationId: string;
  readonly position: bigint;
  readonly hash: string;
  /** The last position that a transaction has, in the same snapshot. */
  readonly last: bigint;
}

export interface ChainPlace {
  readonly position: bigint;
  readonly hash: string;
}

const genesisHash = '0'.repeat(64);
export const genesis: ChainPlace = { position: 0n, hash: genesisHash };

/** The next organization behind `after` that has a chain or a transaction. A head that is gone is answered as an empty one. */
export const findNextHead = async (db: RawDb, after: string): Promise<ChainHead | null> => {
  const rows = await db.$queryRaw<ChainHead[]>`
    WITH next AS (
      SELECT least((SELECT organization_id FROM ledger_transaction WHERE organization_id > ${after}::uuid ORDER BY organization_id LIMIT 1),
        (SELECT organization_id FROM ledger_chain WHERE organization_id > ${after}::uuid ORDER BY organization_id LIMIT 1)) AS organization_id)
    SELECT n.organization_id::text AS "organizationId", coalesce(c.position, 0) AS position, coalesce(encode(c.hash, 'hex'), ${genesisHash}) AS hash,
      coalesce((SELECT max(t.position) FROM ledger_transaction t WHERE t.organization_id = n.organization_id), 0) AS last
    FROM next n LEFT JOIN ledger_chain c ON c.organization_id = n.organization_id WHERE n.organization_id IS NOT NULL`;
  return rows[0] ?? null;
};

export interface CheckedLinks {
  readonly links: bigint;
  /** Where the next call begins; null when there was none to check. */
  readonly end: ChainPlace | null;
  readonly broken: ChainBreak | null;
}

interface CheckedRow {
  readonly links: bigint;
  readonly position: bigint | null;
  readonly hash: string | null;
  readonly broken: { readonly position: string; readonly transactionId: string | null; readonly kind: string | null; readonly problem: ChainProblem } | null;
}

/** Computes up to `limit` links again, behind `before` and up to a position, and finds the first that is broken. */
export const checkLinks = async (db: RawDb, organizationId: string, before: ChainPlace, upTo: bigint, limit: number): Promise<CheckedLinks> => {
  const rows = await db.$queryRaw<CheckedRow[]>`
    WITH link AS (
      SELECT * FROM ledger_transaction WHERE organization_id = ${organizationId}::uuid AND position > ${before.position} AND position <= ${upTo}
      ORDER BY position LIMIT ${limit}),
    followed AS (
      SELECT *, lag(position, 1, ${before.position}::bigint) OVER by_position AS position_before,
        lag(hash, 1, decode(${before.hash}, 'hex')) OVER by_position AS hash_before
      FROM link WINDOW by_position AS (ORDER BY position)),
    checked AS (
      SELECT position, position_before, id, kind, hash, CASE
        WHEN position <> position_before + 1 THEN 'missing'
        WHEN previous_hash <> hash_before THEN 'relinked'
        WHEN hash <> ledger_hash(organization_id, position, id, kind, source_id, posted_at, (
            SELECT string_agg(ledger_line(p.line, p.account, p.unit, p.amount), E'\n' ORDER BY p.line) FROM ledger_posting p
            WHERE p.organization_id = f.organization_id AND p.transaction_id = f.id), previous_hash) THEN 'changed' END AS problem
      FROM followed f)
    SELECT count(*) AS links, max(position) AS position, encode((array_agg(hash ORDER BY position DESC))[1], 'hex') AS hash,
      (SELECT CASE WHEN problem = 'missing' THEN json_build_object('position', (position_before + 1)::text, 'problem', problem, 'transactionId', NULL, 'kind', NULL)
        ELSE json_build_object('position', position::text, 'problem', problem, 'transactionId', id, 'kind', kind) END
       FROM checked c WHERE problem IS NOT NULL ORDER BY c.position LIMIT 1) AS broken
    FROM checked`;
  const { links, position, hash, broken } = rows[0]!;
  return {
    links,
    end: position === null || hash === null ? null : { position, hash },
    broken: broken && { ...broken, organizationId, position: BigInt(broken.position) },
  };
};
