import type { Db } from '@kilotoken/platform';
import { z } from 'zod';
import { burnRow, groupBurnTables, type BurnTable } from './pack.js';

const burnColumns = `b.id, b.unit, b.model_id, (extract(epoch FROM b.effective_at) * 1000)::float8 AS effective_at_ms, u.decimals::integer AS decimals, u.rounding,
  w.token_class, w.amount::text AS amount, w.per::text AS per`;
const burnTables = 'burn_table b JOIN pack_unit u ON u.unit = b.unit JOIN burn_weight w ON w.burn_table_id = b.id';

/**
 * Every table that is, will be or within the last `pastMs` was in effect, latest first. Reads with the application's rights, not
 * through Prisma: gateways read it on their polls.
 */
export const listBurnTables = async (db: Db, pastMs: number): Promise<BurnTable[]> => {
  const { rows } = await db.query(
    `WITH past AS (
       SELECT unit, model_id, max(effective_at) AS effective_at FROM burn_table
       WHERE effective_at <= kt_now() - make_interval(secs => $1::float8 / 1000) GROUP BY unit, model_id)
     SELECT ${burnColumns} FROM ${burnTables}
     LEFT JOIN past p ON p.unit = b.unit AND p.model_id IS NOT DISTINCT FROM b.model_id
     WHERE p.effective_at IS NULL OR b.effective_at >= p.effective_at
     ORDER BY b.unit, b.effective_at DESC, b.id, w.token_class`,
    [pastMs],
  );
  return groupBurnTables(z.array(burnRow).parse(rows));
};

/** Any table that was ever published: what an old usage row burned at. */
export const loadBurnTable = async (db: Db, id: string): Promise<BurnTable | null> => (await loadBurnTables(db, [id]))[0] ?? null;

/** Those of the tables that were ever published. */
export const loadBurnTables = async (db: Db, ids: readonly string[]): Promise<BurnTable[]> => {
  const { rows } = await db.query(`SELECT ${burnColumns} FROM ${burnTables} WHERE b.id = ANY ($1::uuid[]) ORDER BY b.id, w.token_class`, [ids]);
  return groupBurnTables(z.array(burnRow).parse(rows));
};
