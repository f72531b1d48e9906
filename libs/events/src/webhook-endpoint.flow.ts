import { randomBytes } from 'node:crypto';
import type { AppError} from '@kilotoken/platform';
import { changeThrough, mintId, type ControlPool, type Keyring } from '@kilotoken/platform';
import type { Pool } from 'pg';
import { z } from 'zod';
import { conflict, notFound, parseInput } from './events.errors.js';
import type { WebhookGuard } from './webhook-guard.client.js';
import { createSecret, endpointsMax, kindsSchema, secretOverlapMsDefault, secretOverlapMsMax, type WebhookEndpoint } from './webhook.js';
import { sealWebhookSecret } from './webhook-secret.js';
import { deleteEndpoint, endSecrets, insertEndpoint, insertSecret, listEndpointRows, lockEndpoints, setEndpointEnabled } from './webhook.store.js';

/** Changes of an organization's endpoints. They need the control plane's login. */
const newEndpointSchema = z.strictObject({
  organizationId: z.uuid(),
  url: z.string(),
  description: z.string().max(200).default(''),
  kinds: kindsSchema.nullable().default(null),
});
export type NewWebhookEndpoint = z.input<typeof newEndpointSchema>;

const placeSchema = z.strictObject({ organizationId: z.uuid(), id: z.uuid() });
export type WebhookEndpointPlace = z.input<typeof placeSchema>;

const rotationSchema = placeSchema.extend({ overlapMs: z.int().min(0).max(secretOverlapMsMax).default(secretOverlapMsDefault) });
export type SecretRotation = z.input<typeof rotationSchema>;

/** The only type with the secret: the caller shows it once. */
export interface WebhookEndpointWithSecret extends WebhookEndpoint {
  readonly secret: string;
}

const endpointNotFound = (): AppError => notFound('webhook_endpoint', 'The organization has no such webhook endpoint.');

/** The endpoint gets every event of its kinds from now on. Throws `webhook_url_refused`, `webhook_endpoint_exists` or `webhook_endpoints_full`. */
export const createWebhookEndpoint = async (pool: ControlPool, keyring: Keyring, guard: WebhookGuard, input: NewWebhookEndpoint): Promise<WebhookEndpointWithSecret> => {
  const { organizationId, description, kinds, url: asked } = parseInput(newEndpointSchema, input);
  const url = await guard.check(asked);
  const secret = createSecret(randomBytes);
  const endpoint = await changeThrough(pool, organizationId, async (db) => {
    const known = await lockEndpoints(db, organizationId);
    if (known.some((other) => other.url === url)) throw conflict('webhook_endpoint_exists', 'The organization has a webhook endpoint with this address.');
    if (known.length >= endpointsMax) throw conflict('webhook_endpoints_full', `An organization has at most ${endpointsMax} webhook endpoints.`, { max: endpointsMax });
    const made = await insertEndpoint(db, { organizationId, id: mintId(Date.now()), url, description, kinds });
    await insertSecret(db, organizationId, made.id, sealWebhookSecret(keyring, organizationId, made.id, secret));
    return made;
  });
  return { ...endpoint, secret };
};

/** The oldest first. */
export const listWebhookEndpoints = (pool: Pool, organizationId: string): Promise<WebhookEndpoint[]> => listEndpointRows(pool, organizationId);

/** Makes a new secret; the old one signs too for `overlapMs`, in which the receiver changes over. Throws `webhook_endpoint_not_found`. */
export const rotateWebhookSecret = async (pool: ControlPool, keyring: Keyring, input: SecretRotation): Promise<WebhookEndpointWithSecret> => {
  const { organizationId, id, overlapMs } = parseInput(rotationSchema, input);
  const secret = createSecret(randomBytes);
  const endpoint = await changeThrough(pool, organizationId, async (db) => {
    const known = (await lockEndpoints(db, organizationId)).find((other) => other.id === id);
    if (!known) throw endpointNotFound();
    await endSecrets(db, organizationId, id, overlapMs);
    await insertSecret(db, organizationId, id, sealWebhookSecret(keyring, organizationId, id, secret));
    return known;
  });
  return { ...endpoint, secret };
};

/** Deliveries that failed while it was disabled stay dead until they are replayed. Throws `webhook_endpoint_not_found`. */
export const enableWebhookEndpoint = async (pool: ControlPool, input: WebhookEndpointPlace): Promise<WebhookEndpoint> => setEnabled(pool, input, true);

export const disableWebhookEndpoint = async (pool: ControlPool, input: WebhookEndpointPlace): Promise<WebhookEndpoint> => setEnabled(pool, input, false);

const setEnabled = async (pool: ControlPool, input: WebhookEndpointPlace, enabled: boolean): Promise<WebhookEndpoint> => {
  const { organizationId, id } = parseInput(placeSchema, input);
  const endpoint = await changeThrough(pool, organizationId, (db) => setEndpointEnabled(db, organizationId, id, enabled));
  if (!endpoint) throw endpointNotFound();
  return endpoint;
};

/** Deliveries on their way to it become dead letters. Throws `webhook_endpoint_not_found`. */
export const removeWebhookEndpoint = async (pool: ControlPool, input: WebhookEndpointPlace): Promise<void> => {
  const { organizationId, id } = parseInput(placeSchema, input);
  await changeThrough(pool, organizationId, async (db) => {
    if (!(await deleteEndpoint(db, organizationId, id))) throw endpointNotFound();
  });
};
