import { changeThrough, mintId, type ControlPool } from '@kilotoken/platform';
import { findCompany, insertCompany } from './company.store.js';

/** The seller's own organization, whose members are the staff; made where there is none. There is one in a database. */
export const ensureCompany = async (pool: ControlPool, name = 'Company'): Promise<string> => {
  const id = mintId(Date.now());
  return changeThrough(pool, id, async (db) => {
    // Two that make it at once wait for each other.
    await db.query("SELECT pg_advisory_xact_lock(hashtextextended('the company', 0))");
    return (await findCompany(db)) ?? insertCompany(db, id, name);
  });
};
