import { AccountWatchService } from '@kilotoken/accounts';
import {
  BalanceWatchService,
  JobRunnerService,
  NightlyService,
  OutboxService,
  openMailboxFolder,
  openSmtpTransport,
  QueueWatchService,
  WebhookGuard,
  WebhookSender,
  type MailTransport,
  type QueueTable,
} from '@kilotoken/events';
import type { QueueName } from '@kilotoken/contracts';
import { createKeyring, type Keyring, type Platform } from '@kilotoken/platform';
import { openQueueStore, type QueueStore } from '@kilotoken/platform/queue';
import type { Pool } from 'pg';
import { mailFolderOf, type BackofficeSettings } from './config.js';
import type { BackofficeMetrics } from './metrics.js';
import { nightlyJobsOf } from './nights.js';

/** Makes the parts of the backoffice from its settings. */
type Backoffice = Platform<BackofficeSettings>;

const developmentSender = 'kilotoken@localhost.localdomain';
const userAgent = 'Kilotoken-Webhooks/1';

export const openQueues = ({ name, settings, logger }: Backoffice): QueueStore => {
  const queues = openQueueStore({
    databaseUrl: settings.APP_DATABASE_URL,
    redisUrl: settings.REDIS_URL,
    redisCluster: settings.REDIS_CLUSTER === '1',
    applicationName: name,
    silenceMsMax: settings.JOB_SILENCE_MS,
    onError: (error) => logger.warn({ event: 'queue.failed', error }),
  });
  logger.info({ event: 'queue.opened', backend: queues.backend });
  return queues;
};

export const openMail = ({ settings, logger }: Backoffice): MailTransport => {
  if (settings.SMTP_URL && settings.MAIL_FROM) return openSmtpTransport(settings.SMTP_URL, settings.MAIL_FROM);
  const folder = mailFolderOf(settings);
  logger.warn({ event: 'mail.to_files', folder, hint: 'SMTP_URL is not set: mails are written to files and sent to nobody' });
  return openMailboxFolder(folder, settings.MAIL_FROM ?? developmentSender);
};

export const openKeyring = ({ settings, logger }: Backoffice): Keyring | null => {
  if (settings.KILOTOKEN_SECRET_KEY) return createKeyring(settings.KILOTOKEN_SECRET_KEY);
  logger.warn({ event: 'secrets.no_key', hint: 'KILOTOKEN_SECRET_KEY is not set: mails to people are not sent, and webhooks with encrypted secrets fail' });
  return null;
};

export const createSender = ({ settings }: Backoffice): WebhookSender =>
  new WebhookSender(new WebhookGuard({ allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE === '1' }), userAgent);

export const createOutbox = ({ settings, logger }: Backoffice, table: QueueTable, pool: Pool, queues: QueueStore, { dispatched }: BackofficeMetrics): OutboxService =>
  new OutboxService(
    { pauseMs: settings.OUTBOX_PAUSE_MS, perOrganizationMax: settings.JOBS_PER_ORGANIZATION, silenceMs: settings.JOB_SILENCE_MS },
    table,
    pool,
    queues,
    logger,
    (events) => dispatched.inc(events),
  );

export const createRunner = (backoffice: Backoffice, table: QueueTable, pool: Pool, queues: QueueStore, { jobSeconds, nights }: BackofficeMetrics): JobRunnerService => {
  const nightOf = new Map<QueueName, string>(nightlyJobsOf(backoffice.settings).map(({ name, queue }) => [queue, name]));
  return new JobRunnerService(table, pool, queues, backoffice.logger, (queue, end, latencyMs) => {
    jobSeconds.observe({ queue, end }, latencyMs / 1_000);
    const name = nightOf.get(queue);
    if (name !== undefined && end !== 'lost') nights.inc({ name, ok: String(end === 'done') });
  });
};

export const createQueueWatch = ({ settings, clock }: Backoffice, table: QueueTable, pool: Pool, runner: JobRunnerService): QueueWatchService =>
  new QueueWatchService({ perOrganizationMax: settings.JOBS_PER_ORGANIZATION, dueMsMaxDefault: settings.JOB_STUCK_MS }, table, pool, runner, clock);

export const createBalanceWatch = ({ settings, logger }: Backoffice, pool: Pool): BalanceWatchService =>
  new BalanceWatchService(pool, logger, settings.BALANCE_CHECK_MS);

export const createAccountWatch = ({ settings, logger }: Backoffice, pool: Pool): AccountWatchService => new AccountWatchService(pool, logger, settings.BALANCE_CHECK_MS);

export const createNights = ({ settings, logger }: Backoffice, pool: Pool): NightlyService => {
  if (!settings.AUDIT_DATABASE_URL) logger.warn({ event: 'reconcile.not_scheduled', hint: 'AUDIT_DATABASE_URL is not set: the books are not proven at night' });
  return new NightlyService(nightlyJobsOf(settings), pool, logger, settings.NIGHTLY_CHECK_MS);
};
