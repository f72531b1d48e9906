import type { Db } from '@kilotoken/platform';
import type { ReconcileReport } from './reconcile.js';

/** The outcome of a run: its report, or the reason why there is none. */
export type RunEnd = { readonly report: ReconcileReport } | { readonly reason: string };

const countFindings = ({ checks }: ReconcileReport): number => checks.reduce((sum, { found }) => sum + found, 0);

export const insertRun = async (db: Db, id: string, elapsedMs: number, end: RunEnd): Promise<void> => {
  const report = 'report' in end ? end.report : null;
  const outcome = report === null ? 'could_not_check' : report.holds ? 'holds' : 'found';
  await db.query(
    `INSERT INTO reconcile_run (id, started_at, outcome, findings, reason, report)
     VALUES ($1, kt_now() - make_interval(secs => $2::float8 / 1000), $3, $4, $5, $6)`,
    [id, elapsedMs, outcome, report === null ? 0 : countFindings(report), 'reason' in end ? end.reason : null, report && JSON.stringify(report)],
  );
};
