import type { QueuedJobPayload } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';
import type { JobStatus } from './queue-table.js';

/** The functions of the outbox, one statement each; they cross organizations. */

/** Numbers waiting events and makes their jobs; answers how many events. 0 also while another process dispatches. */
export const dispatchEvents = async (db: Db, limit: number, mailedKinds: readonly string[]): Promise<number> => {
  const { rows } = await db.query<{ taken: number }>('SELECT events_dispatch($1, $2) AS taken', [limit, mailedKinds]);
  return rows[0]!.taken;
};

export interface DueJobsRequest {
  /** Whose jobs are wanted, and after how many attempts a job is dead. */
  readonly queues: readonly { readonly queue: string; readonly attemptsMax: number }[];
  readonly limit: number;
  /** Jobs of one organization and queue that are handed over, or run, at a time. */
  readonly perOrganization: number;
  /** A job that no run claims is due again after this. */
  readonly silenceMs: number;
}

export interface DueJob extends QueuedJobPayload {
  readonly queue: string;
}

/** Takes jobs that are due, to hand to the queue, in order. */
export const takeDueJobs = async (db: Db, { queues, limit, perOrganization, silenceMs }: DueJobsRequest): Promise<DueJob[]> => {
  const { rows } = await db.query<DueJob>(
    'SELECT organization_id AS "organizationId", id AS "jobId", queue, attempts FROM outbox_jobs_take($1, $2, $3, $4, $5)',
    [queues.map(({ queue }) => queue), queues.map(({ attemptsMax }) => attemptsMax), limit, perOrganization, silenceMs],
  );
  return rows;
};

/** A job as a run claims it; what its payload is, its queue's schema says. */
export interface ClaimedJob {
  readonly organizationId: string;
  readonly jobId: string;
  readonly claimId: string;
  readonly eventId: string | null;
  readonly payload: unknown;
  /** This one included. */
  readonly attempts: number;
}

/** Null: another run has the job or had it. */
export const claimJob = async (db: Db, { organizationId, jobId, attempts }: QueuedJobPayload, claimId: string, claimMs: number): Promise<ClaimedJob | null> => {
  const { rows } = await db.query<Omit<ClaimedJob, 'organizationId' | 'jobId' | 'claimId'>>(
    'SELECT event_id AS "eventId", payload, attempts FROM outbox_job_claim($1, $2, $3, $4, $5)',
    [organizationId, jobId, attempts, claimId, claimMs],
  );
  return rows[0] ? { organizationId, jobId, claimId, ...rows[0] } : null;
};

/** Keeps the claim for another `claimMs`. False: this run lost the job. */
export const renewClaim = async (db: Db, { organizationId, jobId, claimId }: ClaimedJob, claimMs: number): Promise<boolean> => {
  const { rows } = await db.query<{ kept: boolean }>('SELECT outbox_job_renew($1, $2, $3, $4) AS kept', [organizationId, jobId, claimId, claimMs]);
  return rows[0]!.kept;
};

export interface AttemptEnd {
  readonly ok: boolean;
  /** Kept with the job. */
  readonly outcome: Readonly<Record<string, unknown>>;
  /** Null: no further attempt. */
  readonly retryMs: number | null;
}

/** Null: this run lost the job meanwhile, and nothing changed. */
export const endJob = async (db: Db, { organizationId, jobId, claimId }: ClaimedJob, { ok, outcome, retryMs }: AttemptEnd): Promise<JobStatus | null> => {
  const { rows } = await db.query<{ status: JobStatus | null }>('SELECT outbox_job_end($1, $2, $3, $4, $5, $6) AS status', [
    organizationId, jobId, claimId, ok, JSON.stringify(outcome), retryMs,
  ]);
  return rows[0]!.status;
};

/** How a queue stands in Postgres. Ages are in seconds, 0 where there is none. */
export interface QueueState {
  /** `outbox` for events that are not dispatched. */
  readonly queue: string;
  /** Jobs that are not ended. */
  readonly waiting: number;
  readonly waitingSeconds: number;
  /** Since when the oldest due job has waited to begin. */
  readonly dueSeconds: number;
  /** The same without jobs that wait for others of their own organization. */
  readonly stuckSeconds: number;
  readonly running: number;
  /** Failed for good. */
  readonly dead: number;
  readonly deadSeconds: number;
}

export const readQueueStates = async (db: Db, perOrganization: number): Promise<QueueState[]> => {
  const { rows } = await db.query<QueueState>(
    `SELECT queue, waiting::float8, waiting_seconds AS "waitingSeconds", due_seconds AS "dueSeconds", stuck_seconds AS "stuckSeconds",
       running::float8, dead::float8, dead_seconds AS "deadSeconds" FROM outbox_state($1)`,
    [perOrganization],
  );
  return rows;
};

export interface Retention {
  readonly queues: readonly { readonly queue: string; readonly keptDays: number }[];
  /** Of events that have no job left. */
  readonly eventDays: number;
}

/** Forgets at most `limit` ended jobs and as many events; answers how many rows went. */
export const pruneOutbox = async (db: Db, { queues, eventDays }: Retention, limit: number): Promise<number> => {
  const { rows } = await db.query<{ gone: number }>('SELECT outbox_forget($1, $2, $3, $4) AS gone', [
    queues.map(({ queue }) => queue), queues.map(({ keptDays }) => keptDays), eventDays, limit,
  ]);
  return rows[0]!.gone;
};

/** Enqueues a night's job once; false where it was before, and when the name is seen for the first time. `minute` of the day in UTC. */
export const enqueueNight = async (db: Db, { name, queue, minute }: { name: string; queue: string; minute: number }): Promise<boolean> => {
  const { rows } = await db.query<{ isNew: boolean }>('SELECT nightly_enqueue($1, $2, $3) AS "isNew"', [name, queue, minute]);
  return rows[0]!.isNew;
};
