import type { Db } from '@kilotoken/platform';
import type { StoredEvent } from './webhook.js';

/** Inside `asOrganization`. Throws if the event is missing, since an event is kept for as long as its job. */
export const findMailParts = async (db: Db, organizationId: string, eventId: string): Promise<{ event: StoredEvent; organizationName: string }> => {
  const { rows } = await db.query<Omit<StoredEvent, 'id' | 'organizationId'> & { name: string }>(
    `SELECT e.kind, e.sequence, e.created_at AS "createdAt", e.payload, o.name FROM outbox_event e JOIN organization o ON o.id = e.organization_id
     WHERE e.organization_id = $1 AND e.id = $2`,
    [organizationId, eventId],
  );
  if (!rows[0]) throw new Error(`event ${eventId} is not there`);
  const { name, ...event } = rows[0];
  return { event: { id: eventId, organizationId, ...event }, organizationName: name };
};
