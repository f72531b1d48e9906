import type { Db } from '@kilotoken/platform';
import type { z } from 'zod';
import type { Delivery, deliveryPageSchema, replaySchema } from './delivery.js';
import { fromTheStart } from './job.store.js';

export const findDeliveries = async (
  db: Db,
  { organizationId, queue, status, endpointId, after, limit }: z.output<typeof deliveryPageSchema>,
): Promise<Delivery[]> => {
  const { rows } = await db.query<Delivery>(
    `SELECT j.organization_id AS "organizationId", j.id, j.queue, j.event_id AS "eventId", e.kind, e.sequence,
       coalesce(j.payload ->> 'endpoint_id', j.payload ->> 'address', '') AS "to", j.status, j.attempts, j.attempts_max AS "attemptsMax", j.outcome,
       CASE WHEN j.status = 'waiting' THEN j.next_at END AS "nextAt", j.created_at AS "createdAt", j.finished_at AS "finishedAt"
     FROM outbox_job j JOIN outbox_event e ON e.organization_id = j.organization_id AND e.id = j.event_id
     WHERE j.organization_id = $1 AND ($2::text IS NULL OR j.queue = $2) AND ($3::text IS NULL OR j.status = $3)
       AND ($4::text IS NULL OR j.payload ->> 'endpoint_id' = $4) AND ($5::uuid IS NULL OR j.id > $5)
     ORDER BY j.id LIMIT $6`,
    [organizationId, queue, status, endpointId, after, limit],
  );
  return rows;
};

/** Leaves running deliveries alone, and jobs of our own, which no event caused. */
export const resetDeliveries = async (
  db: Db,
  { organizationId, id, endpointId, queue }: z.output<typeof replaySchema>,
  limit: number,
): Promise<number> => {
  const { rowCount } = await db.query(
    `UPDATE outbox_job SET ${fromTheStart}
     WHERE organization_id = $1 AND id IN (
       SELECT id FROM outbox_job WHERE organization_id = $1 AND event_id IS NOT NULL AND (id = $2 OR ($2::uuid IS NULL AND status = 'dead'))
         AND ($3::text IS NULL OR payload ->> 'endpoint_id' = $3) AND ($4::text IS NULL OR queue = $4)
         AND (claimed_until IS NULL OR claimed_until <= kt_now())
       ORDER BY id LIMIT $5 FOR UPDATE)`,
    [organizationId, id, endpointId, queue, limit],
  );
  return rowCount ?? 0;
};
