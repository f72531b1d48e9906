import { personMailPurpose, type PersonMail } from '@kilotoken/events';
import type { Db, Keyring } from '@kilotoken/platform';
import { renderPersonMail, type PersonMailContent } from './person-mail.js';

/** How links in mails are made, and the key that keeps them from whoever reads jobs. */
export interface Mailing {
  readonly keyring: Keyring;
  /** The console's address, without a path. */
  readonly publicUrl: string;
}

/** Enqueues a mail in the caller's transaction. The same key is the same mail. */
export const putPersonMail = async (db: Db, { keyring }: Mailing, key: string, to: { email: string; locale: string }, content: PersonMailContent): Promise<void> => {
  const mail: PersonMail = { ...renderPersonMail(to.email, to.locale, content), at: new Date().toISOString() };
  const sealed = keyring.seal(JSON.stringify(mail), personMailPurpose);
  await db.query('SELECT person_mail_put($1, $2)', [key, sealed]);
};

export const invitationLink = ({ publicUrl }: Mailing, secret: string): string => `${publicUrl}/accept-invitation?token=${secret}`;
export const resetLink = ({ publicUrl }: Mailing, secret: string): string => `${publicUrl}/reset-password?token=${secret}`;
