import { join, resolve } from 'node:path';
import { ConfigError, parseConfig, processSettings, readEnvironment, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

const yesOrNo = (fallback: '0' | '1') => z.enum(['0', '1'], { error: 'must be 0 or 1' }).prefault(fallback);

const isSmtpUrl = (text: string): boolean => URL.canParse(text) && /^smtps?:$/.test(new URL(text).protocol) && new URL(text).hostname !== '';

export const backofficeSettings = z.object({
  ...processSettings,
  BACKOFFICE_PORT: setting.port(8083),
  APP_DATABASE_URL: setting.databaseUrl(),
  /** A member of kilotoken_auditor, for the nightly proof of the books. */
  AUDIT_DATABASE_URL: setting.databaseUrl().optional(),
  /** Where this machine has the files of exported usage, which the nightly proof reads. Unset: where they were written. */
  USAGE_ARCHIVE_FOLDER: z.string().min(1).optional(),
  /** Moves the queues, which live in Postgres otherwise. */
  REDIS_URL: setting.redisUrl(),
  /** `REDIS_URL` is a node of a cluster. */
  REDIS_CLUSTER: yesOrNo('0'),
  /** Pause between two looks at the outbox. */
  OUTBOX_PAUSE_MS: setting.durationMs(500, 10, 60_000),
  /** A job without a run for this long is handed to its queue again. */
  JOB_SILENCE_MS: setting.durationMs(30_000, 1_000, 3_600_000),
  /** A queue is stuck, and /readyz reports it, when its oldest due job has waited longer than this to begin. */
  JOB_STUCK_MS: setting.durationMs(600_000, 1_000, 86_400_000),
  /** Webhooks, and likewise mails, that this process sends at once. */
  JOB_CONCURRENCY: setting.wholeNumber({ fallback: 40, min: 1, max: 500 }),
  /** Jobs of one organization and queue that are handed over, or run, at a time. */
  JOBS_PER_ORGANIZATION: setting.wholeNumber({ fallback: 8, min: 1, max: 10_000 }),
  /** Days for which ended jobs and their events are kept. */
  EVENTS_KEPT_DAYS: setting.wholeNumber({ fallback: 30, min: 1, max: 3_650 }),
  /** Pause between two rounds over the balances that have a threshold, over transfer rules, and over budgets. */
  BALANCE_CHECK_MS: setting.durationMs(5_000, 100, 3_600_000),
  /** Pause between two looks for nightly jobs that are due. */
  NIGHTLY_CHECK_MS: setting.durationMs(60_000, 100, 3_600_000),
  /** Allows webhooks over http and to this machine and its network; for development and tests. */
  WEBHOOK_ALLOW_PRIVATE: yesOrNo('0'),
  /** Opens stored secrets. Unset: mails to people are not sent, and webhooks whose secrets are encrypted fail. */
  KILOTOKEN_SECRET_KEY: setting.secretKeys().optional(),
  SMTP_URL: z.string().refine(isSmtpUrl, 'must be an address such as smtp://user:password@mail.example.com:587').optional(),
  MAIL_FROM: z.email({ error: 'must be an address such as notices@example.com' }).optional(),
  /** Without SMTP_URL mails are written as files to its folder `mail`. */
  KILOTOKEN_HOME: z.string().prefault('.kilotoken'),
});

export type BackofficeSettings = z.infer<typeof backofficeSettings>;

export const readBackofficeSettings = (environment: Environment = readEnvironment()): BackofficeSettings => {
  const settings = parseConfig(backofficeSettings, environment);
  if (settings.SMTP_URL && !settings.MAIL_FROM) throw new ConfigError(['MAIL_FROM is not set: SMTP_URL needs it, the sender of mails, such as notices@example.com']);
  return settings;
};

export const mailFolderOf = ({ KILOTOKEN_HOME }: BackofficeSettings): string => join(resolve(KILOTOKEN_HOME), 'mail');
