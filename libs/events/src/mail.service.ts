import { Injectable } from '@nestjs/common';
import { isEventName, mailJobSchema } from '@kilotoken/contracts';
import { asOrganization } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { JobHandler } from './job-runner.service.js';
import { mailMsMax, type MailTransport } from './mail-transport.service.js';
import { renderMail } from './mail.js';
import { findMailParts } from './mail.store.js';
import { emailSchema } from './notice.js';
import type { ClaimedJob, JobOutcome } from './outbox.store.js';
import { mailWaitsSeconds, retryWaitMs } from './retry.js';
import { toEnvelope } from './webhook.js';

const claimMarginMs = 10_000;

/** Sends the mail of one event to the address that the organization had when the event was dispatched. */
@Injectable()
export class MailService implements JobHandler {
  readonly queue = 'send-mail';
  readonly waitsSeconds = mailWaitsSeconds;
  readonly claimMs = mailMsMax * 2 + claimMarginMs;

  constructor(
    private readonly pool: Pool,
    private readonly transport: MailTransport,
  ) {}

  async run(job: ClaimedJob): Promise<JobOutcome> {
    const address = emailSchema.parse(mailJobSchema.parse(job.payload).address);
    const { event, organizationName } = await asOrganization(this.pool, job.organizationId, (db) => findMailParts(db, job.organizationId, job.eventId));
    const envelope = toEnvelope(event);
    const { type } = envelope;
    if (!isEventName(type)) throw new Error(`no mail is written for ${type}`);
    const mail = renderMail({ ...envelope, type }, organizationName);
    try {
      await this.transport.send({ ...mail, to: address, id: job.jobId, sentAt: event.createdAt });
      return { ok: true, reason: 'sent', retryMs: null };
    } catch (error) {
      return { ok: false, reason: failureOf(error), retryMs: isFinal(error) ? null : retryWaitMs(this.waitsSeconds, job.attempts, Math.random()) };
    }
  }
}

const smtpCode = (error: unknown): number => (error instanceof Error && 'responseCode' in error && typeof error.responseCode === 'number' ? error.responseCode : 0);

/** The server will never take it: 550 and its kin (RFC 5321 §4.2.1); a wrong login is our own fault, which somebody mends. */
const isFinal = (error: unknown): boolean => {
  const code = smtpCode(error);
  return code >= 550 && code < 560;
};

const failureOf = (error: unknown): string => {
  const code = smtpCode(error) || (error instanceof Error && 'code' in error ? String(error.code) : 'unknown');
  return `the mail server refused it, or is away: ${code}`;
};
