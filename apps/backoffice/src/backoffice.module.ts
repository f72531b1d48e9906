import { Inject, Module, type BeforeApplicationShutdown, type DynamicModule, type FactoryProvider, type OnApplicationShutdown } from '@nestjs/common';
import { BalanceWatchService, JobRunnerService, MailService, NightlyService, OutboxService, WebhookDeliveryService, WebhookSender, type MailTransport } from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import { DatabaseModule, databasePool } from '@kilotoken/platform/process';
import type { QueueStore } from '@kilotoken/platform/queue';
import type { BackofficeSettings } from './config.js';
import { createMetrics, watchBacklog } from './metrics.js';
import { scheduleNights } from './nights.js';
import { createBalanceWatch, createDelivery, createMailing, createNights, createOutbox, createRunner, createSender, openMail, openQueues } from './providers.js';

const databaseConnectionsMax = 5;

export const queueStore = Symbol('the store of the queues');
const mailTransport = Symbol('how mails leave');

/** Does what events and nights ask for. */
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
    @Inject(WebhookDeliveryService) private readonly delivery: WebhookDeliveryService,
    @Inject(MailService) private readonly mailing: MailService,
    @Inject(BalanceWatchService) private readonly balances: BalanceWatchService,
    @Inject(NightlyService) private readonly nights: NightlyService,
    @Inject(WebhookSender) private readonly sender: WebhookSender,
    @Inject(queueStore) private readonly queues: QueueStore,
    @Inject(mailTransport) private readonly transport: MailTransport,
  ) {}

  start(): void {
    this.runner.start([this.delivery, this.mailing]);
    this.outbox.start();
    this.balances.start();
    this.nights.start();
  }

  /** Takes nothing new and waits for what runs. Doing it again waits for the same. */
  async drain(): Promise<void> {
    await Promise.all([this.outbox.stop(), this.balances.stop(), this.nights.stop(), this.runner.drain()]);
  }

  /** Before any pool closes: Nest calls this on all modules before it shuts the first one down. What still runs is cut and done again by others. */
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
      provide: OutboxService,
      inject: [databasePool, queueStore],
      useFactory: (pool, queues) => {
        watchBacklog(platform, pool, queues);
        return createOutbox(platform, pool, queues, metrics);
      },
    },
    { provide: JobRunnerService, inject: [databasePool, queueStore], useFactory: (pool, queues) => createRunner(platform, pool, queues, metrics) },
    { provide: WebhookDeliveryService, inject: [databasePool, WebhookSender], useFactory: (pool, sender) => createDelivery(platform, pool, sender) },
    { provide: MailService, inject: [databasePool, mailTransport], useFactory: (pool, transport) => createMailing(pool, transport) },
    { provide: BalanceWatchService, inject: [databasePool], useFactory: (pool) => createBalanceWatch(platform, pool) },
    {
      provide: NightlyService,
      inject: [databasePool],
      useFactory: (pool) => scheduleNights(platform, pool, createNights(platform, pool, metrics), metrics),
    },
  ];
};
