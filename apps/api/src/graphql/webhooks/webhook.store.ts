import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { globalId } from '../shapes/global-id.js';
import { rowsByKey } from '../shapes/grouping.js';
import type { WebhookDelivery, WebhookEndpoint } from './webhook.type.js';

interface EndpointRow {
  readonly organizationId: string;
  readonly id: string;
  readonly url: string;
  readonly types: string[] | null;
  readonly enabled: boolean;
  readonly createdAt: Date;
}

export const toEndpoint = ({ id, organizationId, ...row }: EndpointRow): WebhookEndpoint => ({ __typename: 'WebhookEndpoint', ...row, id: globalId('WebhookEndpoint', organizationId, id) });

/** The endpoints of each organization, the oldest first. */
export const listEndpoints = async (db: Db, organizationIds: readonly string[]): Promise<EndpointRow[][]> => {
  const { rows } = await db.query<EndpointRow>(
    `SELECT organization_id AS "organizationId", id, url, kinds AS types, disabled_at IS NULL AS enabled, created_at AS "createdAt"
     FROM webhook_endpoint WHERE organization_id = ANY ($1::uuid[]) ORDER BY id`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

interface DeliveryRow {
  readonly organizationId: string;
  readonly id: string;
  readonly endpointId: string | null;
  readonly type: string;
  readonly status: string;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly nextAt: Date | null;
  readonly lastError: string | null;
}

export const toDelivery = ({ id, ...row }: DeliveryRow): WebhookDelivery => ({ __typename: 'WebhookDelivery', ...row, id: globalId('WebhookDelivery', row.organizationId, id) });

/** The deliveries of each organization, the newest first. */
export const listDeliveryRows = async (db: Db, organizationIds: readonly string[], { first, after }: Page, endpointId: string | null): Promise<DeliveryRow[][]> => {
  const { rows } = await db.query<DeliveryRow>(
    `SELECT d.* FROM unnest($1::uuid[]) o(id) CROSS JOIN LATERAL (
       SELECT j.organization_id AS "organizationId", j.id, j.payload ->> 'endpoint_id' AS "endpointId", e.kind AS type, j.status, j.attempts, e.created_at AS "createdAt",
         CASE WHEN j.status = 'waiting' THEN j.next_at END AS "nextAt", CASE WHEN j.status <> 'done' THEN coalesce(j.outcome ->> 'error', j.outcome ->> 'status') END AS "lastError"
       FROM outbox_job j JOIN outbox_event e ON e.organization_id = j.organization_id AND e.id = j.event_id
       WHERE j.organization_id = o.id AND j.queue = 'deliver-webhook' AND ($2::uuid IS NULL OR j.id < $2) AND ($3::text IS NULL OR j.payload ->> 'endpoint_id' = $3)
       ORDER BY j.id DESC LIMIT $4) d`,
    [organizationIds, after?.[0] ?? null, endpointId, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};
