import { pruneOutbox, type NightlyService } from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import { openAuditPool, runRecordedReconcile } from '@kilotoken/reconcile';
import type { Pool } from 'pg';
import type { BackofficeSettings } from './config.js';
import type { BackofficeMetrics } from './metrics.js';

type Backoffice = Platform<BackofficeSettings>;

const hourMs = 3_600_000;
const rowsPerPruneMax = 2_000;
/** What the log and the night's row name of each check; all findings are counted. */
const findingsMax = 20;

/** What is done at night, each at a time of its own. */
export const scheduleNights = (backoffice: Backoffice, pool: Pool, nights: NightlyService, metrics: BackofficeMetrics): NightlyService => {
  const { settings, logger } = backoffice;
  nights.scheduleNightly({ name: 'prune-events', at: '02:10', claimMs: hourMs, run: (signal) => pruneEvents(pool, settings.EVENTS_KEPT_DAYS, signal) });
  const auditUrl = settings.AUDIT_DATABASE_URL;
  if (auditUrl) nights.scheduleNightly({ name: 'reconcile', at: '03:40', claimMs: 8 * hourMs, run: (signal) => proveBooks(backoffice, auditUrl, metrics, signal) });
  else logger.warn({ event: 'reconcile.not_scheduled', hint: 'AUDIT_DATABASE_URL is not set: the books are not proven at night' });
  return nights;
};

const pruneEvents = async (pool: Pool, days: number, signal: AbortSignal): Promise<{ rows: number }> => {
  let rows = 0;
  for (let gone = -1; gone !== 0 && !signal.aborted; ) {
    gone = await pruneOutbox(pool, days, rowsPerPruneMax);
    rows += gone;
  }
  return { rows };
};

/** Finding something is no failure of the run: it is what it is for, and looking again would find the same. */
const proveBooks = async ({ logger }: Backoffice, auditUrl: string, { findings }: BackofficeMetrics, signal: AbortSignal): Promise<Record<string, unknown>> => {
  const pool = openAuditPool(auditUrl, { onIdleError: (error) => logger.warn({ event: 'database.connection_lost', error }) });
  try {
    const { holds, checks, snapshotAt, elapsedMs } = await runRecordedReconcile(pool, { signal, findingsMax });
    const broken = checks.filter(({ found }) => found > 0);
    for (const check of checks) findings.set({ check: check.name }, check.found);
    for (const check of broken) logger.error({ event: 'reconcile.found', check: check.name, invariant: check.invariant, found: check.found, findings: check.findings });
    return { holds, snapshotAt, elapsedMs: Math.round(elapsedMs), checks: checks.length, found: Object.fromEntries(broken.map(({ name, found }) => [name, found])) };
  } finally {
    await pool.end();
  }
};
