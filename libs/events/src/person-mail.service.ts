import { Injectable } from '@nestjs/common';
import type { Keyring } from '@kilotoken/platform';
import { z } from 'zod';
import { mailOutcome } from './mail.service.js';
import type { MailTransport } from './mail-transport.client.js';
import type { Job, JobOutcome, JobProcessor } from './queue-table.js';

/** The purpose under which a mail to a person is sealed: its link opens an account, and jobs are shown to operators. */
export const personMailPurpose = 'mail-person';

const personMailSchema = z.strictObject({ to: z.email().max(254), subject: z.string().min(1).max(200), text: z.string(), html: z.string(), at: z.iso.datetime() });
export type PersonMail = z.infer<typeof personMailSchema>;

/** Sends one mail to one person: an invitation, or a new password. */
@Injectable()
export class PersonMailService implements JobProcessor<'mail-person'> {
  constructor(
    private readonly transport: MailTransport,
    private readonly keyring: Keyring,
  ) {}

  async run({ jobId, payload }: Job<'mail-person'>): Promise<JobOutcome> {
    const { at, ...mail } = personMailSchema.parse(JSON.parse(this.keyring.open(payload.sealed, personMailPurpose)));
    return mailOutcome(this.transport.send({ ...mail, id: jobId, sentAt: new Date(at) }));
  }
}
