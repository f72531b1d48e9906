import type pg from 'pg';
import { inTransaction } from '@kilotoken/platform';
import { listBurnTables, listCurrentRates, pastPricesMs } from '@kilotoken/pricing';
import { buildCatalogue, type Catalogue } from './catalogue.js';
import { listActiveLanes, listActiveModels, readConfigVersion } from './catalogue.store.js';

/**
 * The catalogue as of one moment: all reads see one snapshot, so the version that it says belongs to what it holds. A
 * change that commits after the snapshot has a higher version, which the next poll sees.
 */
export const loadCatalogue = (pool: pg.Pool): Promise<Catalogue> =>
  inTransaction(pool, async (db) => {
    await db.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const version = await readConfigVersion(db);
    return buildCatalogue(version, await listActiveModels(db), await listActiveLanes(db), await listCurrentRates(db), await listBurnTables(db, pastPricesMs));
  });
