import { Injectable } from '@nestjs/common';
import type { Clock, Db, Keyring } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Job, JobOutcome, JobProcessor } from './queue-table.js';
import { attemptMsMax, type WebhookAnswer, type WebhookSender } from './webhook-sender.client.js';
import { openWebhookSecret } from './webhook-secret.js';
import { disableAfterMs, toEnvelope } from './webhook.js';
import { findDelivery, noteAttempt } from './webhook.store.js';

/** The attempt, and the reads of endpoint and event before it. */
export const deliveryMsMax = attemptMsMax + 5_000;
const gone = 410;

type WebhookJob = Job<'deliver-webhook'>;

const notSent = (reason: string): JobOutcome => ({ ok: false, reason, detail: { sent: false }, isFinal: true });

/** Sends one event to one endpoint: the same bytes under the same id on every attempt, signed anew with the attempt's time. */
@Injectable()
export class WebhookDeliveryService implements JobProcessor<'deliver-webhook'> {
  constructor(
    private readonly pool: Pool,
    private readonly sender: WebhookSender,
    private readonly clock: Clock,
    /** Null: no key is set, and secrets that are encrypted cannot be used. */
    private readonly keyring: Keyring | null,
  ) {}

  async run({ organizationId, eventId, payload }: WebhookJob): Promise<JobOutcome> {
    const delivery = eventId === null ? null : await findDelivery(this.pool, organizationId, payload.endpoint_id, eventId);
    if (!delivery) return notSent('the endpoint was removed');
    if (delivery.disabled) return notSent('the endpoint is disabled');
    const { url, event } = delivery;
    const secrets = delivery.secrets.map((stored) => openWebhookSecret(this.keyring, organizationId, payload.endpoint_id, stored));
    const body = JSON.stringify(toEnvelope(event));
    return judge(await this.sender.send({ url, secrets, id: event.id, body, sentAt: new Date(this.clock.nowMs()) }));
  }

  async record(db: Db, { organizationId, payload }: WebhookJob, { ok, detail }: JobOutcome): Promise<void> {
    // A webhook that was not sent says nothing about the endpoint.
    if (detail?.['status'] === undefined) return;
    await noteAttempt(db, organizationId, payload.endpoint_id, ok, detail['status'] === gone ? 0 : disableAfterMs);
  }
}

const judge = ({ status, reason, excerpt, askedWaitMs, latencyMs }: WebhookAnswer): JobOutcome => {
  const ok = status >= 200 && status < 300;
  // A receiver that says it is gone does not want to be asked again (Standard Webhooks, "Receiver: response codes").
  return { ok, reason, detail: { status, latencyMs, ...(excerpt === '' ? {} : { excerpt }) }, isFinal: status === gone, askedWaitMs };
};
