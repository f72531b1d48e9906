import { pruneOutbox, type JobProcessor, type NightlyJob, type Retention } from '@kilotoken/events';
import { openAuditPool, runRecordedReconcile } from '@kilotoken/reconcile';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { BackofficeSettings } from './config.js';
import type { BackofficeMetrics } from './metrics.js';

const rowsPerPruneMax = 2_000;
/** Findings of each check that the log and the job name; all are counted. */
const findingsMax = 20;

/** The nightly jobs, each at a time of its own. */
export const nightlyJobsOf = ({ AUDIT_DATABASE_URL }: BackofficeSettings): NightlyJob[] => [
  { name: 'prune-events', queue: 'prune-events', at: '02:10' },
  ...(AUDIT_DATABASE_URL ? [{ name: 'reconcile', queue: 'prove-books', at: '03:40' } as const] : []),
];

/** A drain ends the run early; the next night prunes the remaining rows. */
export const pruningEvents = (pool: Pool, retentionOf: () => Retention): JobProcessor<'prune-events'> => ({
  run: async (_job, signal) => {
    let rows = 0;
    for (let gone = -1; gone !== 0 && !signal.aborted; ) {
      gone = await pruneOutbox(pool, retentionOf(), rowsPerPruneMax);
      rows += gone;
    }
    return { ok: true, reason: 'pruned', detail: { rows } };
  },
});

export interface BooksSettings {
  readonly auditUrl: string;
  /** Where files of exported usage are; null: where they were written. */
  readonly archiveFolder: string | null;
}

/** A run with findings has succeeded: another attempt would find the same. */
export const provingBooks = (logger: Logger, { auditUrl, archiveFolder }: BooksSettings, { findings }: BackofficeMetrics): JobProcessor<'prove-books'> => ({
  run: async (_job, signal) => {
    const pool = openAuditPool(auditUrl, { onIdleError: (error) => logger.warn({ event: 'database.connection_lost', error }) });
    try {
      const { holds, checks, archives, snapshotAt, elapsedMs } = await runRecordedReconcile(pool, { signal, findingsMax, archiveFolder });
      const broken = checks.filter(({ found }) => found > 0);
      for (const check of checks) findings.set({ check: check.name }, check.found);
      for (const check of broken) logger.error({ event: 'reconcile.found', check: check.name, invariant: check.invariant, found: check.found, findings: check.findings });
      if (archives.unread.length > 0) logger.warn({ event: 'reconcile.archives_unread', unread: archives.unread });
      const found = Object.fromEntries(broken.map(({ name, found: count }) => [name, count]));
      return { ok: true, reason: 'proven', detail: { holds, snapshotAt, elapsedMs: Math.round(elapsedMs), checks: checks.length, found, archives: { files: archives.files, rows: archives.rows, unread: archives.unread.length } } };
    } finally {
      await pool.end();
    }
  },
});
