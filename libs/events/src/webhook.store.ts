import type { Db } from '@kilotoken/platform';
import type { StoredEvent, WebhookEndpoint } from './webhook.js';

export interface DeliveryParts {
  readonly url: string;
  readonly disabled: boolean;
  readonly secrets: readonly string[];
  readonly event: StoredEvent;
}

/** The endpoint, its valid secrets and the event of a delivery; null when the endpoint was removed. Crosses organizations by a named function. */
export const findDelivery = async (db: Db, organizationId: string, endpointId: string, eventId: string): Promise<DeliveryParts | null> => {
  const { rows } = await db.query<{ url: string; disabled: boolean; secrets: string[]; kind: string; sequence: bigint; createdAt: Date; payload: unknown }>(
    'SELECT url, disabled, secrets, kind, sequence, created_at AS "createdAt", payload FROM webhook_delivery($1, $2, $3)',
    [organizationId, endpointId, eventId],
  );
  if (!rows[0]) return null;
  const { url, disabled, secrets, kind, sequence, createdAt, payload } = rows[0];
  return { url, disabled, secrets, event: { id: eventId, organizationId, kind, sequence, createdAt, payload } };
};

/** Records how an attempt ended; answers whether it disabled the endpoint. */
export const noteAttempt = async (db: Db, organizationId: string, endpointId: string, ok: boolean, disableAfterMs: number): Promise<boolean> => {
  const { rows } = await db.query<{ disabled: boolean }>('SELECT webhook_attempted($1, $2, $3, $4) AS disabled', [organizationId, endpointId, ok, disableAfterMs]);
  return rows[0]!.disabled;
};

// The functions below write tables directly, so they need the owner's login.

const endpointColumns = `organization_id AS "organizationId", id, url, description, kinds, created_at AS "createdAt", failing_since AS "failingSince",
  disabled_at AS "disabledAt", CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN failing_since IS NOT NULL THEN 'failing' ELSE 'enabled' END AS status`;

/** The oldest first. No other transaction adds or removes one before this one ends. */
export const lockEndpoints = async (db: Db, organizationId: string): Promise<WebhookEndpoint[]> => {
  await db.query("SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoint' || $1, 0))", [organizationId]);
  return listEndpointRows(db, organizationId);
};

export const listEndpointRows = async (db: Db, organizationId: string): Promise<WebhookEndpoint[]> => {
  const { rows } = await db.query<WebhookEndpoint>(`SELECT ${endpointColumns} FROM webhook_endpoint WHERE organization_id = $1 ORDER BY id`, [organizationId]);
  return rows;
};

export interface NewEndpointRow {
  readonly organizationId: string;
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly kinds: readonly string[] | null;
}

export const insertEndpoint = async (db: Db, { organizationId, id, url, description, kinds }: NewEndpointRow): Promise<WebhookEndpoint> => {
  const { rows } = await db.query<WebhookEndpoint>(
    `INSERT INTO webhook_endpoint (organization_id, id, url, description, kinds) VALUES ($1, $2, $3, $4, $5) RETURNING ${endpointColumns}`,
    [organizationId, id, url, description, kinds],
  );
  return rows[0]!;
};

export const insertSecret = async (db: Db, organizationId: string, endpointId: string, secret: string): Promise<void> => {
  await db.query('INSERT INTO webhook_secret (organization_id, endpoint_id, id, secret) VALUES ($1, $2, uuidv7(), $3)', [organizationId, endpointId, secret]);
};

/** Ends each present secret with the overlap, or sooner if it would have ended sooner. */
export const endSecrets = async (db: Db, organizationId: string, endpointId: string, overlapMs: number): Promise<void> => {
  await db.query(
    `UPDATE webhook_secret SET expires_at = least(expires_at, kt_now() + make_interval(secs => $3::float8 / 1000))
     WHERE organization_id = $1 AND endpoint_id = $2`,
    [organizationId, endpointId, overlapMs],
  );
  await db.query('DELETE FROM webhook_secret WHERE organization_id = $1 AND endpoint_id = $2 AND expires_at <= kt_now()', [organizationId, endpointId]);
};

/** Null: no such endpoint. */
export const setEndpointEnabled = async (db: Db, organizationId: string, id: string, enabled: boolean): Promise<WebhookEndpoint | null> => {
  const change = enabled ? 'disabled_at = NULL, disabled_reason = NULL, failing_since = NULL' : "disabled_at = coalesce(disabled_at, kt_now()), disabled_reason = coalesce(disabled_reason, 'operator')";
  const { rows } = await db.query<WebhookEndpoint>(
    `UPDATE webhook_endpoint SET ${change} WHERE organization_id = $1 AND id = $2 RETURNING ${endpointColumns}`,
    [organizationId, id],
  );
  return rows[0] ?? null;
};

export const deleteEndpoint = async (db: Db, organizationId: string, id: string): Promise<boolean> => {
  await db.query('DELETE FROM webhook_secret WHERE organization_id = $1 AND endpoint_id = $2', [organizationId, id]);
  const { rowCount } = await db.query('DELETE FROM webhook_endpoint WHERE organization_id = $1 AND id = $2', [organizationId, id]);
  return rowCount === 1;
};
