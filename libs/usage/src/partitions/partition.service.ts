import { Injectable } from '@nestjs/common';
import { PollLoop, sqlStateOf } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { PartitionPeriod } from './partition.js';
import { makePartition } from './partition.store.js';

export interface PartitionSettings {
  readonly period: PartitionPeriod;
  /** Partitions are there for so long ahead. */
  readonly aheadDays: number;
}

const lookMs = 10 * 60_000;
/** When usage_default is in use, its lock is asked for again soon. */
const busyMs = 15_000;
const dayMs = 86_400_000;
/** A year of days, and what two periods may overlap. */
const partitionsPerRunMax = 400;
/** Rows of usage_default that are moved while it is locked; more are a person's to move (`kt partitions make`). */
export const movedRowsMax = 10_000;

/** Makes partitions ahead. Several may run: the database lets one of them do it, and what is there is left alone. */
@Injectable()
export class PartitionService {
  private readonly loop: PollLoop;

  constructor(
    private readonly settings: PartitionSettings,
    private readonly pool: Pool,
    private readonly nowMs: () => number,
    private readonly logger: Logger,
  ) {
    const onError = (error: unknown): void => {
      const sqlState = sqlStateOf(error);
      // KT032: too many rows are in usage_default to be moved without being asked.
      logger[sqlState === 'KT032' ? 'error' : 'warn']({ event: 'partition.failed', sqlState, error });
    };
    this.loop = new PollLoop({ once: (signal) => this.makeAhead(signal).then(() => lookMs), onError, pauseAfterErrorMs: busyMs });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Answers the names of what it made. */
  async makeAhead(signal?: AbortSignal): Promise<string[]> {
    const { period, aheadDays } = this.settings;
    const names: string[] = [];
    while (names.length < partitionsPerRunMax && !signal?.aborted) {
      const made = await makePartition(this.pool, period, { from: null, until: new Date(this.nowMs() + aheadDays * dayMs) }, movedRowsMax);
      if (!made) break;
      this.logger.info({ event: 'partition.made', partition: made.name, moved: made.moved });
      names.push(made.name);
    }
    return names;
  }
}
