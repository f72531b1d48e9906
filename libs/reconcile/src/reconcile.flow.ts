import { AppError } from '@kilotoken/platform';
import type pg from 'pg';
import { archiveFileChecks } from './archive-file-checks.js';
import { loadArchives, summarizeArchives, type LoadedArchives } from './archive.flow.js';
import { checks } from './checks.js';
import { readGuardCheck } from './guard.store.js';
import { countInFlight } from './in-flight.store.js';
import { clientLogChecks, vendorLogChecks } from './log-checks.js';
import { loadLogs, type LoadedLogs } from './log-file.store.js';
import { summarizeLogs } from './log.store.js';
import { findOrganization } from './organization.store.js';
import type { CheckResult, ReconcileReport } from './reconcile.js';
import { idRangeOf, type Scope } from './scope.js';
import { assertJudgeable, endSnapshot, runCheck, takeSnapshot, type Snapshot } from './snapshot.store.js';

export interface ReconcileOptions {
  /** A slug; null or absent: all. */
  readonly organization?: string | null;
  /** Inclusive. */
  readonly from?: Date | null;
  /** Exclusive. */
  readonly to?: Date | null;
  /** Files of JSON lines to be compared with the database. */
  readonly clientLogs?: readonly string[];
  readonly vendorLogs?: readonly string[];
  /** Where exported files are on this machine. Null or absent: where they were written. */
  readonly archiveFolder?: string | null;
  /** So many findings of a check are named; all are counted. */
  readonly findingsMax?: number;
  /** Told of each check when it is done. */
  readonly onChecked?: (result: CheckResult) => void;
  /** Ends the run between two statements, and closes the connection under one. */
  readonly signal?: AbortSignal;
}

const findingsMaxDefault = 100;

/**
 * Proves the books of a live database in one read-only snapshot. Resolves whether or not they hold; rejects with what kept it
 * from looking: an AppError (`reconcile_*`) or the database's own error. `pool` must see all organizations, and must allow
 * statements to run for as long as reading all usage takes: see `openAuditPool`.
 */
export const runReconcile = async (pool: pg.Pool, options: ReconcileOptions = {}): Promise<ReconcileReport> => {
  const { from = null, to = null, signal } = options;
  if (from && to && from >= to) throw new AppError({ code: 'reconcile_period', kind: 'invalid', publicMessage: 'The period is empty: --to must be after --from.' });
  const startedMs = performance.now();
  const db = await pool.connect();
  let isReleased = false;
  let hasTables = hasLogs(options);
  const release = (isBroken: boolean): void => {
    if (!isReleased) db.release(isBroken);
    isReleased = true;
  };
  // Closing the connection is what ends a statement that is under way.
  const onAbort = (): void => release(true);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    signal?.throwIfAborted();
    const logs = hasLogs(options) ? await loadLogs(db, { client: options.clientLogs ?? [], vendor: options.vendorLogs ?? [] }) : null;
    await assertJudgeable(db);
    const archives = await loadArchives(db, idRangeOf({ from, to }), options);
    hasTables = logs !== null || archives.hasTables;
    return await judge(await takeSnapshot(db, logs?.readFrom ?? null), options, { logs, archives }, startedMs);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    // Temporary tables go with the connection.
    release(isReleased || hasTables || !(await endSnapshot(db)));
  }
};

const hasLogs = ({ clientLogs = [], vendorLogs = [] }: ReconcileOptions): boolean => clientLogs.length + vendorLogs.length > 0;

/** Proves the books as one transaction sees them, with files that its connection has read. */
export const proveSnapshot = (snapshot: Snapshot, archives: LoadedArchives, options: ReconcileOptions = {}): Promise<ReconcileReport> => judge(snapshot, options, { logs: null, archives }, performance.now());

interface Read {
  readonly logs: LoadedLogs | null;
  readonly archives: LoadedArchives;
}

const judge = async (snapshot: Snapshot, options: ReconcileOptions, { logs, archives }: Read, startedMs: number): Promise<ReconcileReport> => {
  const { organization = null, from = null, to = null, findingsMax = findingsMaxDefault, onChecked, signal } = options;
  const scope: Scope = { organizationId: organization === null ? null : await findOrganization(snapshot.db, organization), from, to };
  const results: CheckResult[] = [];
  const logChecks = [...(logs?.clientEntries == null ? [] : clientLogChecks), ...(logs?.vendorEntries == null ? [] : vendorLogChecks)];
  for (const check of [...checks, ...(archives.hasTables ? archiveFileChecks : []), await readGuardCheck(), ...logChecks]) {
    if (check.wholeDatabaseOnly && scope.organizationId !== null) continue;
    signal?.throwIfAborted();
    const result = await runCheck(snapshot, check, { scope, findingsMax });
    results.push(result);
    onChecked?.(result);
  }
  return {
    holds: results.every(({ found }) => found === 0),
    organization,
    from: from?.toISOString() ?? null,
    to: to?.toISOString() ?? null,
    snapshotAt: snapshot.takenAt.toISOString(),
    checks: results,
    inFlight: await countInFlight(snapshot, scope),
    archives: await summarizeArchives(snapshot.db, archives),
    logs: logs && (await summarizeLogs(snapshot, logs, { scope, findingsMax })),
    elapsedMs: performance.now() - startedMs,
  };
};
