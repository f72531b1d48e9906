import { resolve } from 'node:path';
import {
  deliveryMsMax,
  MailService,
  mailJobMsMax,
  mailWaitsSeconds,
  nightWaitsSeconds,
  PersonMailService,
  queuesOf,
  WebhookDeliveryService,
  webhookWaitsSeconds,
  type MailTransport,
  type QueueTable,
  type WebhookSender,
} from '@kilotoken/events';
import type { Keyring, Platform } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { BackofficeSettings } from './config.js';
import type { BackofficeMetrics } from './metrics.js';
import { provingBooks, pruningEvents } from './nights.js';

interface Parts {
  readonly pool: Pool;
  readonly sender: WebhookSender;
  readonly transport: MailTransport;
  /** Null: no key is set, and another process sends mails to people. */
  readonly keyring: Keyring | null;
  readonly metrics: BackofficeMetrics;
}

const hourMs = 3_600_000;

/**
 * The table of this process's queues. A new queue is a name and a payload in `contracts`, and an entry here: workers, dispatcher,
 * retention, metrics and readiness follow.
 */
export const createQueueTable = ({ settings, clock, logger }: Platform<BackofficeSettings>, { pool, sender, transport, keyring, metrics }: Parts): QueueTable => {
  const { JOB_CONCURRENCY: concurrency, JOB_STUCK_MS: dueMsMax, EVENTS_KEPT_DAYS: keptDays, AUDIT_DATABASE_URL: auditUrl, USAGE_ARCHIVE_FOLDER: archiveFolder } = settings;
  const bounds = { concurrency, dueMsMax, keptDays };
  const nightly = { waitsSeconds: nightWaitsSeconds, concurrency: 1, dueMsMax, keptDays, endsOnDrain: true } as const;
  const table: QueueTable = {
    'deliver-webhook': { ...bounds, processor: new WebhookDeliveryService(pool, sender, clock, keyring), waitsSeconds: webhookWaitsSeconds, timeoutMs: deliveryMsMax },
    'send-mail': { ...bounds, processor: new MailService(pool, transport), waitsSeconds: mailWaitsSeconds, timeoutMs: mailJobMsMax },
    'mail-person': keyring && { ...bounds, processor: new PersonMailService(transport, keyring), waitsSeconds: mailWaitsSeconds, timeoutMs: mailJobMsMax },
    'prune-events': { ...nightly, processor: pruningEvents(pool, () => ({ queues: queuesOf(table), eventDays: keptDays })), timeoutMs: hourMs },
    'prove-books': auditUrl ? { ...nightly, processor: provingBooks(logger, { auditUrl, archiveFolder: archiveFolder === undefined ? null : resolve(archiveFolder) }, metrics), timeoutMs: 8 * hourMs } : null,
  };
  return table;
};
