import { AppError, mintId, systemClock } from '@kilotoken/platform';
import type pg from 'pg';
import type { ReconcileReport } from './reconcile.js';
import { runReconcile, type ReconcileOptions } from './reconcile.flow.js';
import { insertRun } from './reconcile-run.store.js';

const reasonCharactersMax = 1_000;

/**
 * `runReconcile` for the nightly job: what it came to is kept in `reconcile_run`, that it could not check too, as far as the
 * database can be written to. `pool` is the auditor's, which may write nothing else, or the owner's.
 */
export const runRecordedReconcile = async (pool: pg.Pool, options: ReconcileOptions = {}): Promise<ReconcileReport> => {
  const startedMs = performance.now();
  const id = mintId(systemClock.nowMs());
  try {
    const report = await runReconcile(pool, options);
    await insertRun(pool, id, report.elapsedMs, { report });
    return report;
  } catch (error) {
    const reason = (error instanceof AppError ? error.publicMessage : String(error)).slice(0, reasonCharactersMax);
    // An unreachable database cannot record the run either; the caller gets the error itself.
    await insertRun(pool, id, performance.now() - startedMs, { reason }).catch(() => undefined);
    throw error;
  }
};
