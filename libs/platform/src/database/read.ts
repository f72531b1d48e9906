import assert from 'node:assert/strict';
import type pg from 'pg';

/** The organizations whose rows a transaction reads: those that whoever asks may see. */
export interface Reach {
  readonly organizationIds: readonly string[];
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A list of ids stands in the statement itself. */
const organizationsMax = 10_000;

/**
 * A reading transaction that sees, by row-level security, the rows of these organizations and of no other: none for an empty list. All its
 * statements see one snapshot, and none of them can write.
 */
export const readAs = <Result>(pool: pg.Pool, { organizationIds }: Reach, read: (db: pg.PoolClient) => Promise<Result>): Promise<Result> => {
  assert(organizationIds.length <= organizationsMax && organizationIds.every((id) => uuid.test(id)), 'Ids of organizations are UUIDs.');
  return inReading(pool, `SET LOCAL kilotoken.organization_ids = '${organizationIds.join(',')}'`, read);
};

/** The same of all organizations, for staff: without hashes, passwords and other secrets. Callers have asked for the staff permission. */
export const readAsStaff = <Result>(pool: pg.Pool, read: (db: pg.PoolClient) => Promise<Result>): Promise<Result> => inReading(pool, 'SET LOCAL ROLE kilotoken_staff', read);

const inReading = async <Result>(pool: pg.Pool, setting: string, read: (db: pg.PoolClient) => Promise<Result>): Promise<Result> => {
  const db = await pool.connect();
  let broken = false;
  try {
    // One round trip.
    await db.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${setting}`);
    const result = await read(db);
    await db.query('COMMIT');
    return result;
  } catch (error) {
    broken = await db.query('ROLLBACK').then(
      () => false,
      // A connection in an unknown state is closed, which rolls back too.
      () => true,
    );
    throw error;
  } finally {
    db.release(broken);
  }
};
