import { isSealed, type Db, type Keyring } from '@kilotoken/platform';
import { openWebhookSecret, sealWebhookSecret } from './webhook-secret.js';

/** Encrypts every webhook's secret under the first key, plain ones too, in the caller's transaction of the owner. Answers how many changed. */
export const resealWebhookSecrets = async (db: Db, keyring: Keyring): Promise<number> => {
  const { rows } = await db.query<{ organizationId: string; endpointId: string; id: string; secret: string }>(
    'SELECT organization_id AS "organizationId", endpoint_id AS "endpointId", id, secret FROM webhook_secret ORDER BY organization_id, endpoint_id, id FOR UPDATE',
  );
  const old = rows.filter(({ secret }) => !isSealed(secret) || !keyring.isCurrent(secret));
  for (const { organizationId, endpointId, id, secret } of old) {
    const sealed = sealWebhookSecret(keyring, organizationId, endpointId, openWebhookSecret(keyring, organizationId, endpointId, secret));
    await db.query('UPDATE webhook_secret SET secret = $4 WHERE organization_id = $1 AND endpoint_id = $2 AND id = $3', [organizationId, endpointId, id, sealed]);
  }
  return old.length;
};
