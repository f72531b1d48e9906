import { isSealed, type Keyring } from '@kilotoken/platform';

/** Where a webhook's secret is stored; it opens nowhere else. */
const purposeOf = (organizationId: string, endpointId: string): string => `webhook_secret/${organizationId}/${endpointId}`;

export const sealWebhookSecret = (keyring: Keyring, organizationId: string, endpointId: string, secret: string): string => keyring.seal(secret, purposeOf(organizationId, endpointId));

/** Secrets of releases before 0.4 are plain until `kt secrets rotate` encrypts them. Throws `secret_unreadable`. */
export const openWebhookSecret = (keyring: Keyring | null, organizationId: string, endpointId: string, stored: string): string => {
  if (!isSealed(stored)) return stored;
  if (!keyring) throw new Error('KILOTOKEN_SECRET_KEY is not set, and the secret of the webhook is encrypted');
  return keyring.open(stored, purposeOf(organizationId, endpointId));
};
