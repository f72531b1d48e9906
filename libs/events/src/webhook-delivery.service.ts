import { Injectable } from '@nestjs/common';
import { webhookJobSchema } from '@kilotoken/contracts';
import type { Clock, Db } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { JobHandler } from './job-runner.service.js';
import type { ClaimedJob, JobOutcome } from './outbox.store.js';
import { retryWaitMs, webhookWaitsSeconds } from './retry.js';
import { attemptMsMax, type WebhookAnswer, type WebhookSender } from './webhook-sender.service.js';
import { disableAfterMs, toEnvelope } from './webhook.js';
import { findDelivery, noteAttempt } from './webhook.store.js';

/** Beyond the attempt itself: reading what is sent, and writing how it ended. */
const claimMarginMs = 10_000;
const gone = 410;

const notSent = (reason: string): JobOutcome => ({ ok: false, reason, detail: { sent: false }, retryMs: null });

/** Sends one event to one endpoint; the same bytes under the same id on every attempt, signed anew with the time of it. */
@Injectable()
export class WebhookDeliveryService implements JobHandler {
  readonly queue = 'deliver-webhook';
  readonly waitsSeconds = webhookWaitsSeconds;
  readonly claimMs = attemptMsMax + claimMarginMs;

  constructor(
    private readonly pool: Pool,
    private readonly sender: WebhookSender,
    private readonly clock: Clock,
  ) {}

  async run(job: ClaimedJob): Promise<JobOutcome> {
    const { endpoint_id: endpointId } = webhookJobSchema.parse(job.payload);
    const delivery = await findDelivery(this.pool, job.organizationId, endpointId, job.eventId);
    if (!delivery) return notSent('the endpoint was removed');
    if (delivery.disabled) return notSent('the endpoint is disabled');
    const { url, secrets, event } = delivery;
    const body = JSON.stringify(toEnvelope(event));
    return this.judge(job, await this.sender.send({ url, secrets, id: event.id, body, sentAt: new Date(this.clock.nowMs()) }));
  }

  async record(db: Db, job: ClaimedJob, { ok, detail }: JobOutcome): Promise<void> {
    // What was not sent says nothing about the endpoint.
    if (detail?.['status'] === undefined) return;
    const { endpoint_id: endpointId } = webhookJobSchema.parse(job.payload);
    await noteAttempt(db, job.organizationId, endpointId, ok, detail['status'] === gone ? 0 : disableAfterMs);
  }

  private judge(job: ClaimedJob, { status, reason, excerpt, askedWaitMs, latencyMs }: WebhookAnswer): JobOutcome {
    const ok = status >= 200 && status < 300;
    // Who says that it is gone does not want to be asked again (Standard Webhooks, "Receiver: response codes").
    const retryMs = ok || status === gone ? null : retryWaitMs(this.waitsSeconds, job.attempts, Math.random(), askedWaitMs);
    return { ok, reason, detail: { status, latencyMs, ...(excerpt === '' ? {} : { excerpt }) }, retryMs };
  }
}
