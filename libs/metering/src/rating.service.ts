import { Injectable } from '@nestjs/common';
import { inTransaction, mintId, PollLoop, sqlStateOf, type Clock, type Db } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { addToCounters, countersOf, loadBurnTable, loadPriceVersion, takeCounters, type BurnTable, type PriceVersion } from '@kilotoken/pricing';
import { rateBatch, type PinnedRates, type RatingResult, type UnratedGroup } from './rating.js';
import { listRatedFlushes, postRating, quarantineMismatch, takeUnrated, type FlushKey } from './rating.store.js';

export interface RatingSettings {
  /** All shards unless several raters divide them. */
  readonly shards: readonly number[];
  /** Pause between ratings: what settles meanwhile is posted together, which is what makes rating cheap. */
  readonly pauseMs: number;
  readonly flushesPerRatingMax: number;
  /** Told of each rating that was committed, where somebody traces. */
  readonly onRating?: (report: RatingReport) => void;
}

export interface RatingReport {
  readonly flushes: readonly FlushKey[];
  readonly rows: number;
  /** On the monotonic clock. */
  readonly startedMs: number;
}

/** As many rows end a claim: their text is kept in memory until they are rated, some 7 MB of it. */
const rowsPerRating = 50_000;
const pauseAfterErrorMs = 500;
/** Of price versions and of burn tables, each. */
const versionsMax = 10_000;

/**
 * Rates what settled: takes flushes, proves their charges, posts the ledger, all in one transaction. However many raters run
 * and die, each flush is posted once: its rater's commit deletes it from the queue.
 */
@Injectable()
export class RatingService {
  private readonly prices = new Map<string, PriceVersion>();
  private readonly burnTables = new Map<string, BurnTable>();
  private readonly loop: PollLoop;

  constructor(
    private readonly settings: RatingSettings,
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly onRated: (rows: number, mismatches: number) => void,
  ) {
    const onError = (error: unknown): void => logger.warn({ event: 'rating.failed', sqlState: sqlStateOf(error), error });
    this.loop = new PollLoop({ once: (signal) => this.catchUp(signal).then(() => settings.pauseMs), onError, pauseAfterErrorMs });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Rates one batch; answers whether it was a full one, so that more may wait. */
  async rateOnce(): Promise<boolean> {
    const { shards, flushesPerRatingMax, onRating } = this.settings;
    const startedMs = this.clock.monotonicMs();
    const rating = await inTransaction(this.pool, async (db) => {
      const ratingId = mintId(this.clock.nowMs());
      const { flushes, groups } = await takeUnrated(db, ratingId, shards, flushesPerRatingMax, rowsPerRating);
      if (groups.length === 0) return null;
      const pinned = await this.loadRates(db, groups);
      // Locked before anything is rated: a rate that depends on a counter sees what every rating before this one has added.
      await takeCounters(db, countersOf(groups));
      const result = rateBatch(groups, pinned);
      await addToCounters(db, result.counted);
      await postRating(db, ratingId, result);
      for (const mismatch of result.mismatches) await quarantineMismatch(db, mismatch);
      return { flushes, result, listed: onRating ? await listRatedFlushes(db, ratingId) : [] };
    });
    if (!rating) return false;
    const { flushes, result, listed } = rating;
    this.report(result);
    onRating?.({ flushes: listed, rows: result.rows, startedMs });
    return flushes >= flushesPerRatingMax || result.rows >= rowsPerRating;
  }

  /**
   * Rates until no batch is full any more. While a full one is proven here, Postgres can claim the next: behind a backlog two are
   * under way, as if two raters ran.
   */
  async catchUp(signal?: AbortSignal): Promise<void> {
    if (!(await this.rateOnce())) return;
    const lane = async (): Promise<void> => {
      while (!signal?.aborted && (await this.rateOnce()));
    };
    const ended = await Promise.allSettled([lane(), lane()]);
    const failed = ended.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private report({ rows, mismatches }: RatingResult): void {
    this.onRated(rows, mismatches.length);
    for (const { organizationId, usage, rated } of mismatches) {
      this.logger.error({ event: 'rating.mismatch', organizationId, usageId: usage.id, stored: String(usage.rated), recomputed: String(rated) });
    }
  }

  /** The versions that these groups are pinned to. A published version never changes, so it is read once, and kept while there is room. */
  private async loadRates(db: Db, groups: readonly UnratedGroup[]): Promise<PinnedRates> {
    const pinned = { prices: new Map<string, PriceVersion>(), burnTables: new Map<string, BurnTable>() };
    for (const { priceVersionId, burnTableIds } of groups) {
      await pin(pinned.prices, this.prices, priceVersionId, () => loadPriceVersion(db, priceVersionId));
      for (const id of burnTableIds) await pin(pinned.burnTables, this.burnTables, id, () => loadBurnTable(db, id));
    }
    return pinned;
  }
}

const pin = async <Value>(pinned: Map<string, Value>, known: Map<string, Value>, id: string, load: () => Promise<Value | null>): Promise<void> => {
  if (pinned.has(id)) return;
  const value = known.get(id) ?? (await load());
  if (value === null) return;
  pinned.set(id, value);
  if (known.size >= versionsMax) known.clear();
  known.set(id, value);
};
