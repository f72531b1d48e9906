import { AccountWatchService } from '@kilotoken/accounts';
import { BalanceWatchService, dispatchEvents } from '@kilotoken/events';
import { GrantEndService } from '@kilotoken/ledger/ending';
import { RatingService } from '@kilotoken/metering';
import { createPool } from '@kilotoken/platform';
import { RollupService } from '@kilotoken/rollups';
import { PartitionService } from '@kilotoken/usage/partitions';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { DemoClock } from './clock.js';

export interface NightlySettings {
  readonly meteringUrl: string;
  readonly backofficeUrl: string;
  readonly clock: DemoClock;
  readonly logger: Logger;
}

const flushesPerRatingMax = 20_000;
const batchesPerAddMax = 20_000;
const minutesKeptDays = 35;
const eventsPerDispatchMax = 500;
const statementMsMax = 60_000;

/** The work of metering and backoffice, by their own services, once a day of the history instead of every few seconds. */
export class Nightly {
  private readonly metering: pg.Pool;
  private readonly backoffice: pg.Pool;
  private readonly rating: RatingService;
  private readonly rollups: RollupService;
  private readonly grants: GrantEndService;
  private readonly accounts: AccountWatchService;
  private readonly balances: BalanceWatchService;
  private readonly partitions: PartitionService;
  private adding: Promise<void> = Promise.resolve();

  constructor({ meteringUrl, backofficeUrl, clock, logger }: NightlySettings) {
    this.metering = createPool({ connectionString: meteringUrl, max: 2, applicationName: 'demo metering', statementTimeoutMs: statementMsMax });
    this.backoffice = createPool({ connectionString: backofficeUrl, max: 1, applicationName: 'demo backoffice', statementTimeoutMs: statementMsMax });
    const shards = Array.from({ length: 16 }, (_, shard) => shard);
    this.rating = new RatingService({ shards, pauseMs: 1, flushesPerRatingMax }, this.metering, clock, logger, (_rows, mismatches) => {
      if (mismatches > 0) throw new Error(`${mismatches} requests are not rated as they were charged`);
    });
    this.rollups = new RollupService({ pauseMs: 1, batchesPerAddMax, minutesKeptDays }, this.metering, clock, logger, () => undefined);
    this.grants = new GrantEndService(this.metering, logger);
    this.accounts = new AccountWatchService(this.backoffice, logger, 1);
    this.balances = new BalanceWatchService(this.backoffice, logger, 1);
    this.partitions = new PartitionService({ period: 'month', aheadDays: 100 }, this.metering, () => clock.nowMs(), logger);
  }

  makePartitions(): Promise<string[]> {
    return this.partitions.makeAhead();
  }

  /**
   * Rates all that was settled, and ends grants. The rollups follow behind, beside whatever comes next: `finish` waits for them.
   * `prunes`: old minutes are deleted too, which reads all rollups.
   */
  async run({ prunes }: { readonly prunes: boolean }): Promise<void> {
    await this.finish();
    await this.rating.catchUp();
    await this.grants.finishRefunds();
    await this.grants.expire();
    while (await this.accounts.runRulesOnce());
    while (await this.accounts.checkBudgetsOnce());
    while (await this.balances.checkOnce());
    // No endpoint is enabled and nobody gave an address: events of the past are numbered and sent to nobody.
    while ((await dispatchEvents(this.backoffice, eventsPerDispatchMax, [])) === eventsPerDispatchMax);
    this.adding = this.addRollups(prunes);
    // A failure is thrown by `finish`; until then it is nobody's unhandled rejection.
    this.adding.catch(() => undefined);
  }

  async finish(): Promise<void> {
    await this.adding;
  }

  private async addRollups(prunes: boolean): Promise<void> {
    while (await this.rollups.addOnce());
    while (prunes && (await this.rollups.pruneOnce()));
  }

  async stop(): Promise<void> {
    // The rollups under way end first; `finish` has told of their failure.
    await this.adding.catch(() => undefined);
    await Promise.all([this.metering.end(), this.backoffice.end()]);
  }
}
