import { Injectable } from '@nestjs/common';
import { PollLoop, sqlStateOf, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { addRollups, pruneMinutes } from './rollup.store.js';

export interface RollupSettings {
  /** Pause between two looks: what is rated meanwhile is added together, which is what makes it cheap. */
  readonly pauseMs: number;
  readonly batchesPerAddMax: number;
  /** How long rollups by the minute are kept. */
  readonly minutesKeptDays: number;
}

/** As many rows are enough for `rollup_add`: a statement that takes them has left some. */
const rowsPerAdd = 40_000;
const pruneMs = 3_600_000;
const rowsPerPruneMax = 20_000;

/**
 * Follows the raters: adds what they rated to the rollups. It remembers nothing; a flush leaves the queue in the statement that
 * counts it, so any number may run and each flush is counted once whoever dies.
 */
@Injectable()
export class RollupService {
  private readonly loop: PollLoop;
  private prunedMs = -Infinity;

  constructor(
    private readonly settings: RollupSettings,
    private readonly pool: Pool,
    private readonly clock: Clock,
    logger: Logger,
    private readonly onAdded: (rows: number) => void,
  ) {
    const onError = (error: unknown): void => logger.warn({ event: 'rollup.failed', sqlState: sqlStateOf(error), error });
    // New usage is added before old rollups are pruned.
    const once = async (): Promise<number> => ((await this.addOnce()) || (await this.pruneOnce()) ? 0 : settings.pauseMs);
    this.loop = new PollLoop({ once, onError });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Adds once; answers whether more may wait. */
  async addOnce(): Promise<boolean> {
    const { batches, rows } = await addRollups(this.pool, this.settings.batchesPerAddMax);
    if (rows > 0) this.onAdded(rows);
    return batches >= this.settings.batchesPerAddMax || rows >= rowsPerAdd;
  }

  /** Deletes minutes that are no longer kept, when it is time; answers whether more of them may be there. */
  async pruneOnce(): Promise<boolean> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.prunedMs < pruneMs) return false;
    const pruned = await pruneMinutes(this.pool, this.settings.minutesKeptDays, rowsPerPruneMax);
    if (pruned >= rowsPerPruneMax) return true;
    this.prunedMs = nowMs;
    return false;
  }
}
