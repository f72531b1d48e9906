import { Injectable } from '@nestjs/common';
import { isEventName } from '@kilotoken/contracts';
import { asOrganization } from '@kilotoken/platform';
import type { Pool } from 'pg';
import { mailMsMax, type MailTransport } from './mail-transport.client.js';
import { renderMail } from './mail.js';
import { findMailParts } from './mail.store.js';
import { emailSchema } from './notice.js';
import type { Job, JobOutcome, JobProcessor } from './queue-table.js';
import { toEnvelope } from './webhook.js';

/** Connecting, greeting and sending each have a bound of their own. */
export const mailJobMsMax = mailMsMax * 2 + 5_000;

/** Sends the mail of one event to the address that the organization had when the event was dispatched. */
@Injectable()
export class MailService implements JobProcessor<'send-mail'> {
  constructor(
    private readonly pool: Pool,
    private readonly transport: MailTransport,
  ) {}

  async run({ organizationId, jobId, eventId, payload }: Job<'send-mail'>): Promise<JobOutcome> {
    if (eventId === null) return { ok: false, reason: 'the job has no event', isFinal: true };
    const to = emailSchema.parse(payload.address);
    const { event, organizationName } = await asOrganization(this.pool, organizationId, (db) => findMailParts(db, organizationId, eventId));
    const envelope = toEnvelope(event);
    const { type } = envelope;
    if (!isEventName(type)) throw new Error(`no mail is written for ${type}`);
    const mail = renderMail({ ...envelope, type }, organizationName);
    return mailOutcome(this.transport.send({ ...mail, to, id: jobId, sentAt: event.createdAt }));
  }
}

/** The attempt's end by what the next server said. */
export const mailOutcome = async (sending: Promise<void>): Promise<JobOutcome> => {
  try {
    await sending;
    return { ok: true, reason: 'sent' };
  } catch (error) {
    return { ok: false, reason: failureOf(error), isFinal: isFinal(error) };
  }
};

const smtpCode = (error: unknown): number => (error instanceof Error && 'responseCode' in error && typeof error.responseCode === 'number' ? error.responseCode : 0);

/** The server will never take the mail: 550 to 559 (RFC 5321 §4.2.1). A refused login (535) is our own mistake, so it is tried again. */
const isFinal = (error: unknown): boolean => {
  const code = smtpCode(error);
  return code >= 550 && code < 560;
};

const failureOf = (error: unknown): string => {
  const code = smtpCode(error) || (error instanceof Error && 'code' in error ? String(error.code) : 'unknown');
  return `the mail server refused the mail or did not answer: ${code}`;
};
