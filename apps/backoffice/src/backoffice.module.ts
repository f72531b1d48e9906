import { Inject, Module, type BeforeApplicationShutdown, type DynamicModule, type FactoryProvider, type OnApplicationShutdown } from '@nestjs/common';
import { AccountWatchService } from '@kilotoken/accounts';
import { BalanceWatchService, JobRunnerService, NightlyService, OutboxService, QueueWatchService, WebhookSender, type MailTransport } from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import { DatabaseModule, databasePool } from '@kilotoken/platform/process';
import type { QueueStore } from '@kilotoken/platform/queue';
import type { BackofficeSettings } from './config.js';
import { createMetrics, watchQueues } from './metrics.js';
import { createAccountWatch, createBalanceWatch, createNights, createOutbox, createQueueWatch, createRunner, createSender, openKeyring, openMail, openQueues } from './providers.js';
import { createQueueTable } from './queue-table.js';

const databaseConnectionsMax = 5;

export const queueStore = Symbol('the store of the queues');
const mailTransport = Symbol('the mail transport');
const queueTable = Symbol('the table of queues');

/** Does the jobs of all queues; enqueues those of events and nights. */
@Module({})
export class BackofficeModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  static compose(platform: Platform<BackofficeSettings>): DynamicModule {
    const { name, settings, logger } = platform;
    return {
      module: BackofficeModule,
      imports: [DatabaseModule.compose({ connectionString: settings.APP_DATABASE_URL, max: databaseConnectionsMax, applicationName: name, logger })],
      providers: partsOf(platform),
    };
  }

  constructor(
    @Inject(OutboxService) private readonly outbox: OutboxService,
    @Inject(JobRunnerService) private readonly runner: JobRunnerService,
    @Inject(BalanceWatchService) private readonly balances: BalanceWatchService,
    @Inject(AccountWatchService) private readonly accounts: AccountWatchService,
    @Inject(NightlyService) private readonly nights: NightlyService,
    @Inject(WebhookSender) private readonly sender: WebhookSender,
    @Inject(queueStore) private readonly queues: QueueStore,
    @Inject(mailTransport) private readonly transport: MailTransport,
  ) {}

  start(): void {
    this.runner.start();
    this.outbox.start();
    this.balances.start();
    this.accounts.start();
    this.nights.start();
  }

  /** Takes no new work and waits for running work. A second call waits for the same. */
  async drain(): Promise<void> {
    await Promise.all([this.outbox.stop(), this.balances.stop(), this.accounts.stop(), this.nights.stop(), this.runner.drain()]);
  }

  /** Nest calls this on all modules before the first one shuts down, so no pool is closed yet. A job that still runs is cut, and another process does it again. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.queues.close();
  }

  async onApplicationShutdown(): Promise<void> {
    this.transport.close();
    await this.sender.close();
  }
}

const partsOf = (platform: Platform<BackofficeSettings>): FactoryProvider[] => {
  const metrics = createMetrics(platform);
  return [
    { provide: queueStore, useFactory: () => openQueues(platform) },
    { provide: mailTransport, useFactory: () => openMail(platform) },
    { provide: WebhookSender, useFactory: () => createSender(platform) },
    {
      provide: queueTable,
      inject: [databasePool, WebhookSender, mailTransport],
      useFactory: (pool, sender, transport) => createQueueTable(platform, { pool, sender, transport, keyring: openKeyring(platform), metrics }),
    },
    { provide: OutboxService, inject: [queueTable, databasePool, queueStore], useFactory: (table, pool, queues) => createOutbox(platform, table, pool, queues, metrics) },
    { provide: JobRunnerService, inject: [queueTable, databasePool, queueStore], useFactory: (table, pool, queues) => createRunner(platform, table, pool, queues, metrics) },
    {
      provide: QueueWatchService,
      inject: [queueTable, databasePool, JobRunnerService, queueStore],
      useFactory: (table, pool, runner, queues) => {
        const watch = createQueueWatch(platform, table, pool, runner);
        watchQueues(platform, table, watch, queues);
        return watch;
      },
    },
    { provide: BalanceWatchService, inject: [databasePool], useFactory: (pool) => createBalanceWatch(platform, pool) },
    { provide: AccountWatchService, inject: [databasePool], useFactory: (pool) => createAccountWatch(platform, pool) },
    { provide: NightlyService, inject: [databasePool], useFactory: (pool) => createNights(platform, pool) },
  ];
};
