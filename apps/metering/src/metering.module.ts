import { Inject, Module, type DynamicModule, type BeforeApplicationShutdown } from '@nestjs/common';
import { ReapingService } from '@kilotoken/funding';
import { GrantEndService } from '@kilotoken/ledger/ending';
import { RatingService, readRatingLag } from '@kilotoken/metering';
import type { Platform } from '@kilotoken/platform';
import { databasePool, DatabaseModule } from '@kilotoken/platform/process';
import type { Pool } from 'pg';
import { Counter, Gauge } from 'prom-client';
import type { MeteringSettings } from './config.js';
import { traceRating } from './rating-trace.js';
import { UsageKeepingModule } from './usage-keeping.module.js';

const databaseConnectionsMax = 4;
const ratingStatementMs = 60_000;
const flushesPerRatingMax = 20_000;

/** Rates, posts, reaps and ends grants. */
@Module({})
export class MeteringModule implements BeforeApplicationShutdown {
  static compose(platform: Platform<MeteringSettings>): DynamicModule {
    const { name, settings, logger } = platform;
    return {
      module: MeteringModule,
      imports: [
        DatabaseModule.compose({
          connectionString: settings.APP_DATABASE_URL,
          max: databaseConnectionsMax,
          applicationName: name,
          statementTimeoutMs: ratingStatementMs,
          logger,
        }),
        UsageKeepingModule.compose(platform),
      ],
      providers: [
        { provide: RatingService, inject: [databasePool], useFactory: (pool: Pool) => createRating(platform, pool) },
        { provide: ReapingService, inject: [databasePool], useFactory: (pool: Pool) => createReaping(platform, pool) },
        { provide: GrantEndService, inject: [databasePool], useFactory: (pool: Pool) => new GrantEndService(pool, logger) },
      ],
    };
  }

  constructor(
    @Inject(RatingService) private readonly rating: RatingService,
    @Inject(ReapingService) private readonly reaping: ReapingService,
    @Inject(GrantEndService) private readonly grantEnd: GrantEndService,
  ) {}

  start(): void {
    this.rating.start();
    this.reaping.start();
    this.grantEnd.start();
  }

  /** Takes up nothing more, and waits for what is under way. */
  async drain(): Promise<void> {
    this.reaping.stop();
    await Promise.all([this.grantEnd.stop(), this.rating.stop()]);
  }

  /** Before any pool closes: Nest calls this on all modules before it shuts the first one down. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.drain();
  }
}

const createRating = ({ settings, clock, logger, registry, tracing }: Platform<MeteringSettings>, pool: Pool): RatingService => {
  const registers = [registry];
  const rated = new Counter({ name: 'kilotoken_rated_rows_total', help: 'Usage rows rated and posted.', registers });
  const mismatched = new Counter({ name: 'kilotoken_rating_mismatches_total', help: 'Usage rows whose charge their price version does not give.', registers });
  new Gauge({
    name: 'kilotoken_unrated_seconds',
    help: 'Age of the oldest usage that is not rated.',
    registers,
    async collect() {
      this.set((await readRatingLag(pool)).oldestSeconds);
    },
  });
  const onRating = tracing ? { onRating: traceRating(tracing, clock) } : {};
  return new RatingService({ shards: settings.RATING_SHARDS, pauseMs: settings.RATING_PAUSE_MS, flushesPerRatingMax, ...onRating }, pool, clock, logger, (rows, mismatches) => {
    rated.inc(rows);
    mismatched.inc(mismatches);
  });
};

const createReaping = ({ settings, clock, logger, registry }: Platform<MeteringSettings>, pool: Pool): ReapingService => {
  const reaped = new Counter({ name: 'kilotoken_sessions_reaped_total', help: 'Gateways that stopped beating.', registers: [registry] });
  return new ReapingService({ sessionTtlMs: settings.SESSION_TTL_MS }, pool, clock, logger, () => reaped.inc());
};
