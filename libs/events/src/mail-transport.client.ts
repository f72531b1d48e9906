import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Mail } from './mail.js';

export interface AddressedMail extends Mail {
  readonly to: string;
  /** Becomes the Message-ID: a mailbox that gets the mail twice recognizes it. */
  readonly id: string;
  readonly sentAt: Date;
}

export interface MailTransport {
  /** Resolves once the next server, or the disk, has the mail. */
  send(mail: AddressedMail): Promise<void>;
  close(): void;
}

export const mailMsMax = 30_000;
/** The mailbox folder keeps the newest ones. */
const mailsKeptMax = 200;

const messageOf = (from: string, { to, id, subject, text, html, sentAt }: AddressedMail) => ({
  from,
  // nodemailer would parse a text as a list of addresses; an object is one.
  to: { name: '', address: to },
  subject,
  text,
  html,
  date: sentAt,
  messageId: `<${id}@kilotoken.invalid>`,
  headers: { 'Auto-Submitted': 'auto-generated' },
  disableFileAccess: true,
  disableUrlAccess: true,
});

/** Sends by a mail server: `smtp://user:password@host:587` (STARTTLS where the server offers it) or `smtps://`. */
export const openSmtpTransport = (url: string, from: string): MailTransport => {
  const timeouts = { connectionTimeout: mailMsMax / 3, greetingTimeout: mailMsMax / 3, socketTimeout: mailMsMax / 3, dnsTimeout: mailMsMax / 3 };
  const transport = createTransport({ url, ...timeouts });
  return {
    send: async (mail) => {
      await transport.sendMail(messageOf(from, mail));
    },
    close: () => transport.close(),
  };
};

/** Writes mails to files: for development, and for installations without a mail server. */
export const openMailboxFolder = (folder: string, from: string): MailTransport => {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  return {
    send: async (mail) => {
      const { message } = await transport.sendMail(messageOf(from, mail));
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // The name is that of the mail, so another attempt writes the same file. The write is atomic.
      const file = join(folder, `${mail.sentAt.toISOString().replace(/[:.]/g, '-')}-${mail.id}.eml`);
      await writeFile(`${file}.part`, message as Buffer, { mode: 0o600 });
      await rename(`${file}.part`, file);
      const old = (await readdir(folder)).filter((name) => name.endsWith('.eml')).sort().slice(0, -mailsKeptMax);
      await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
    },
    close: () => transport.close(),
  };
};
