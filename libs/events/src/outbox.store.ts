import type { QueuedJobPayload } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';

/** The functions of the outbox, one statement each; they cross organizations. */
export interface DispatchSettings {
  readonly limit: number;
  readonly mailedKinds: readonly string[];
  readonly webhookAttemptsMax: number;
  readonly mailAttemptsMax: number;
}

/** Numbers waiting events and makes their jobs; answers how many events. 0 also while another process dispatches. */
export const dispatchEvents = async (db: Db, { limit, mailedKinds, webhookAttemptsMax, mailAttemptsMax }: DispatchSettings): Promise<number> => {
  const { rows } = await db.query<{ taken: number }>('SELECT outbox_dispatch($1, $2, $3, $4) AS taken', [limit, mailedKinds, webhookAttemptsMax, mailAttemptsMax]);
  return rows[0]!.taken;
};

export interface DueJob extends QueuedJobPayload {
  readonly queue: string;
}

/**
 * Jobs to hand to the queue, in order; of one organization no more than that `perOrganization` are in a queue at a time. They are due
 * again after `silenceMs` unless a run claims them.
 */
export const takeDueJobs = async (db: Db, limit: number, perOrganization: number, silenceMs: number): Promise<DueJob[]> => {
  const { rows } = await db.query<DueJob>(
    'SELECT organization_id AS "organizationId", id AS "jobId", queue, attempts FROM outbox_jobs_due($1, $2, $3)',
    [limit, perOrganization, silenceMs],
  );
  return rows;
};

export interface ClaimedJob {
  readonly organizationId: string;
  readonly jobId: string;
  readonly claimId: string;
  readonly queue: string;
  readonly eventId: string;
  readonly payload: unknown;
  /** This one included. */
  readonly attempts: number;
  readonly attemptsMax: number;
}

/** Null: another run has the job or had it. */
export const claimJob = async (db: Db, { organizationId, jobId, attempts }: QueuedJobPayload, claimId: string, claimMs: number): Promise<ClaimedJob | null> => {
  const { rows } = await db.query<Omit<ClaimedJob, 'organizationId' | 'jobId' | 'claimId'>>(
    'SELECT queue, event_id AS "eventId", payload, attempts, attempts_max AS "attemptsMax" FROM outbox_job_claim($1, $2, $3, $4, $5)',
    [organizationId, jobId, attempts, claimId, claimMs],
  );
  return rows[0] ? { organizationId, jobId, claimId, ...rows[0] } : null;
};

export type JobStatus = 'waiting' | 'done' | 'dead';

/** How an attempt ended. `detail` is kept with the job and shown to its owner: no secret, no body of ours. */
export interface JobOutcome {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail?: Readonly<Record<string, unknown>>;
  /** Null: no further attempt. */
  readonly retryMs: number | null;
}

/** Null: this run lost the job meanwhile, and nothing changed. */
export const endJob = async (db: Db, { organizationId, jobId, claimId }: ClaimedJob, { ok, reason, detail, retryMs }: JobOutcome): Promise<JobStatus | null> => {
  const { rows } = await db.query<{ status: JobStatus | null }>('SELECT outbox_job_end($1, $2, $3, $4, $5, $6) AS status', [
    organizationId, jobId, claimId, ok, JSON.stringify({ ok, reason, ...detail }), retryMs,
  ]);
  return rows[0]!.status;
};

export interface Backlog {
  readonly queue: string;
  readonly status: 'waiting' | 'dead';
  readonly count: number;
  readonly oldestSeconds: number;
}

/** Events that wait under the name `outbox`, and jobs that wait or are dead by queue. */
export const readBacklog = async (db: Db): Promise<Backlog[]> => {
  const { rows } = await db.query<Omit<Backlog, 'count'> & { count: bigint }>('SELECT queue, status, count, oldest_seconds AS "oldestSeconds" FROM outbox_backlog()');
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
};

/** Forgets at most `limit` finished jobs and as many events that ended `days` ago; answers how many rows went. */
export const pruneOutbox = async (db: Db, days: number, limit: number): Promise<number> => {
  const { rows } = await db.query<{ gone: number }>('SELECT outbox_prune($1, $2) AS gone', [days, limit]);
  return rows[0]!.gone;
};
