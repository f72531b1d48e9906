import { Inject, Module, type BeforeApplicationShutdown, type DynamicModule, type OnApplicationBootstrap } from '@nestjs/common';
import { countDefaultRows, PartitionService } from '@kilotoken/usage/partitions';
import type { Platform } from '@kilotoken/platform';
import { databasePool } from '@kilotoken/platform/process';
import { readRollupLag, RollupService } from '@kilotoken/rollups';
import type { Pool } from 'pg';
import { Counter, Gauge } from 'prom-client';
import type { MeteringSettings } from './config.js';

/** A statement's worth, where flushes are small: some seconds of a busy gateway's. Large ones are bounded by their rows. */
const batchesPerAddMax = 10_000;
const defaultRowsCountedMax = 1_000;

/** Follows the raters with rollups, and makes partitions of usage ahead. */
@Module({})
export class UsageKeepingModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  static compose({ settings, clock, logger, registry }: Platform<MeteringSettings>): DynamicModule {
    return {
      module: UsageKeepingModule,
      providers: [
        { provide: RollupService, inject: [databasePool], useFactory: (pool: Pool) => createRollups(pool, { settings, clock, logger, registry }) },
        {
          provide: PartitionService,
          inject: [databasePool],
          useFactory: (pool: Pool) => {
            const { USAGE_PARTITION_PERIOD: period, USAGE_PARTITION_AHEAD_DAYS: aheadDays } = settings;
            new Gauge({
              name: 'kilotoken_usage_default_rows',
              help: `Usage rows in the default partition, counted up to ${defaultRowsCountedMax}: clocks that are far off, or partitions that nobody made.`,
              registers: [registry],
              async collect() {
                this.set(await countDefaultRows(pool, defaultRowsCountedMax));
              },
            });
            return new PartitionService({ period, aheadDays }, pool, () => clock.nowMs(), logger);
          },
        },
      ],
    };
  }

  constructor(
    @Inject(RollupService) private readonly rollups: RollupService,
    @Inject(PartitionService) private readonly partitions: PartitionService,
  ) {}

  onApplicationBootstrap(): void {
    this.rollups.start();
    this.partitions.start();
  }

  /** Before any pool closes: Nest calls this on all modules before it shuts the first one down. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.rollups.stop(), this.partitions.stop()]);
  }
}

const createRollups = (pool: Pool, { settings, clock, logger, registry }: Pick<Platform<MeteringSettings>, 'settings' | 'clock' | 'logger' | 'registry'>): RollupService => {
  const added = new Counter({ name: 'kilotoken_rolled_up_rows_total', help: 'Usage rows added to the rollups.', registers: [registry] });
  new Gauge({
    name: 'kilotoken_unrolled_seconds',
    help: 'Age of the oldest rated usage that the rollups do not count.',
    registers: [registry],
    async collect() {
      this.set((await readRollupLag(pool)).oldestSeconds);
    },
  });
  const { ROLLUP_PAUSE_MS: pauseMs, ROLLUP_MINUTES_KEPT_DAYS: minutesKeptDays } = settings;
  return new RollupService({ pauseMs, batchesPerAddMax, minutesKeptDays }, pool, clock, logger, (rows) => added.inc(rows));
};
