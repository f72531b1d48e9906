import type { Db } from '@kilotoken/platform';
import type { z } from 'zod';
import type { jobPageSchema, jobRetrySchema, ListedJob } from './job.js';

/** Columns of a job that has all its attempts again, from now. */
export const fromTheStart = "status = 'waiting', attempts = 0, next_at = kt_now(), handed_at = NULL, claim_id = NULL, claimed_until = NULL, finished_at = NULL";

export const findJobs = async (db: Db, { organizationId, queue, status, after, limit }: z.output<typeof jobPageSchema>): Promise<ListedJob[]> => {
  const { rows } = await db.query<ListedJob>(
    `SELECT * FROM (
       SELECT organization_id AS "organizationId", id, queue, key, event_id AS "eventId", payload,
         CASE WHEN status = 'waiting' AND claimed_until > kt_now() THEN 'running' ELSE status END AS status, attempts, attempts_max AS "attemptsMax", outcome,
         CASE WHEN status = 'waiting' THEN next_at END AS "nextAt", created_at AS "createdAt", finished_at AS "finishedAt"
       FROM outbox_job WHERE ($1::uuid IS NULL OR organization_id = $1) AND ($2::text IS NULL OR queue = $2) AND ($3::uuid IS NULL OR id > $3)) j
     WHERE $4::text IS NULL OR status = $4 ORDER BY id LIMIT $5`,
    [organizationId, queue, after, status, limit],
  );
  return rows;
};

/** A job that runs is left alone. */
export const resetJobs = async (db: Db, retry: z.output<typeof jobRetrySchema>, limit: number): Promise<number> => {
  const [id, queue, organizationId] = 'id' in retry ? [retry.id, null, null] : [null, retry.queue, retry.organizationId ?? null];
  const { rowCount } = await db.query(
    `UPDATE outbox_job SET ${fromTheStart}
     WHERE (organization_id, id) IN (
       SELECT organization_id, id FROM outbox_job WHERE (id = $1 OR ($1::uuid IS NULL AND status = 'dead' AND queue = $2))
         AND ($3::uuid IS NULL OR organization_id = $3) AND (claimed_until IS NULL OR claimed_until <= kt_now())
       ORDER BY id LIMIT $4 FOR UPDATE)`,
    [id, queue, organizationId, limit],
  );
  return rowCount ?? 0;
};
