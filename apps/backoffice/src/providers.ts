import {
  BalanceWatchService,
  JobRunnerService,
  MailService,
  NightlyService,
  OutboxService,
  openMailboxFolder,
  openSmtpTransport,
  WebhookDeliveryService,
  WebhookGuard,
  WebhookSender,
  type MailTransport,
} from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import { openQueueStore, type QueueStore } from '@kilotoken/platform/queue';
import type { Pool } from 'pg';
import { mailFolderOf, type BackofficeSettings } from './config.js';
import type { BackofficeMetrics } from './metrics.js';

/** How the parts of the backoffice are made from its settings. */
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

export const createSender = ({ settings }: Backoffice): WebhookSender =>
  new WebhookSender(new WebhookGuard({ allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE === '1' }), userAgent);

export const createOutbox = ({ settings, logger }: Backoffice, pool: Pool, queues: QueueStore, { dispatched }: BackofficeMetrics): OutboxService =>
  new OutboxService(
    { pauseMs: settings.OUTBOX_PAUSE_MS, perOrganizationMax: settings.JOBS_PER_ORGANIZATION, silenceMs: settings.JOB_SILENCE_MS },
    pool,
    queues,
    logger,
    (events) => dispatched.inc(events),
  );

export const createRunner = ({ settings, logger }: Backoffice, pool: Pool, queues: QueueStore, { jobSeconds }: BackofficeMetrics): JobRunnerService =>
  new JobRunnerService(pool, queues, logger, settings.JOB_CONCURRENCY, (queue, end, latencyMs) => jobSeconds.observe({ queue, end }, latencyMs / 1_000));

export const createDelivery = ({ clock }: Backoffice, pool: Pool, sender: WebhookSender): WebhookDeliveryService => new WebhookDeliveryService(pool, sender, clock);

export const createMailing = (pool: Pool, transport: MailTransport): MailService => new MailService(pool, transport);

export const createBalanceWatch = ({ settings, logger }: Backoffice, pool: Pool): BalanceWatchService =>
  new BalanceWatchService(pool, logger, settings.BALANCE_CHECK_MS);

export const createNights = ({ settings, logger }: Backoffice, pool: Pool, { nights }: BackofficeMetrics): NightlyService =>
  new NightlyService(pool, logger, settings.NIGHTLY_CHECK_MS, (name, ok) => nights.inc({ name, ok: String(ok) }));
