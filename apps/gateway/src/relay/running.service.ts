import { Injectable } from '@nestjs/common';
import { classifyFailure, type SessionService, type SettlementService } from '@kilotoken/funding';
import { sqlStateOf } from '@kilotoken/platform';
import type { Logger } from 'pino';
import { createSlots } from '../bounds/slots.js';
import type { Failpoint } from '../failpoint.js';
import { noCharge, type Charge } from '@kilotoken/usage';
import { holdsJson, usageRowsJson, type Generation } from './generation.js';

export interface RunningSettings {
  readonly checkpointMs: number;
  readonly checkpointStaleMsMax: number;
}

/** A request between its hold and its settlement. */
export interface Running {
  readonly generation: Generation;
  /** The request's charge so far, as far as it is known at once; null before the first token. Unknown parts are counted for the next call. */
  readonly chargeSoFar: () => Charge | null;
  /** Stops and resumes reading from the lane: what could not be checkpointed must not grow. */
  readonly setPaused?: (paused: boolean) => void;
  checkpointedAtMs: number | null;
  ending: boolean;
}

const openAfterMs = 1_000;
const tickMs = 250;
const rowsPerCallMax = 200;

/** Opens what runs for longer than a second, and checkpoints it, so that a killed gateway loses at most a few seconds of counts. */
@Injectable()
export class RunningRequests {
  private readonly running = createSlots<Running>();
  private readonly timer: NodeJS.Timeout;
  private busy = false;

  constructor(
    private readonly settings: RunningSettings,
    private readonly session: SessionService,
    private readonly settlement: SettlementService,
    private readonly failpoint: Failpoint,
    private readonly logger: Logger,
  ) {
    this.timer = setInterval(() => void this.tick(), tickMs);
  }

  get size(): number {
    return this.running.size();
  }

  add(running: Running): void {
    running.generation.slot = this.running.add(running);
  }

  remove(generation: Generation): void {
    if (generation.slot !== null) this.running.remove(generation.slot);
    generation.slot = null;
  }

  find({ slot }: Generation): Running | null {
    return slot === null ? null : this.running.at(slot);
  }

  /** Looks at every running request: for people who ask, not for the request path. */
  findById(id: string): Running | null {
    return this.running.values().find(({ generation }) => generation.id === id) ?? null;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async tick(): Promise<void> {
    if (this.busy || this.session.isEnded()) return;
    this.busy = true;
    try {
      const due = this.due(this.session.nowMs());
      for (let start = 0; start < due.length; start += rowsPerCallMax) await this.checkpoint(due.slice(start, start + rowsPerCallMax));
    } catch (error) {
      this.logger.warn({ event: 'checkpoint.failed', error });
    } finally {
      this.busy = false;
      this.pauseStale(this.session.nowMs());
    }
  }

  private due(nowMs: number): Running[] {
    const due: Running[] = [];
    for (const running of this.running.values()) {
      if (running.ending) continue;
      const sinceMs = nowMs - (running.checkpointedAtMs ?? running.generation.admittedMs);
      const dueMs = running.checkpointedAtMs === null ? openAfterMs : this.settings.checkpointMs;
      if (sinceMs >= dueMs) due.push(running);
      // A count may take a thread some time: what is due at the next tick begins now.
      else if (sinceMs >= dueMs - tickMs) running.chargeSoFar();
    }
    return due;
  }

  private async checkpoint(batch: readonly Running[]): Promise<void> {
    const nowMs = this.session.nowMs();
    const rows = batch.map((running) => {
      const { generation } = running;
      generation.opened = true;
      const settlement = usageRowsJson(generation, {
        outcome: 'interrupted',
        status: 0,
        errorCode: 'gateway_lost',
        finishReason: null,
        finishedMs: nowMs,
        charge: running.chargeSoFar() ?? noCharge,
      });
      const holds = JSON.stringify(holdsJson(generation));
      return `{"organization":"${generation.caller.organizationId}","id":"${generation.id}","holds":${holds},"settlement":[${settlement}]}`;
    });
    await this.send(rows);
    const first = batch.some((running) => running.checkpointedAtMs === null);
    for (const running of batch) {
      running.checkpointedAtMs = nowMs;
      running.setPaused?.(false);
    }
    this.failpoint(first ? 'after_open' : 'checkpoint');
  }

  /** One row that Postgres cannot store must not keep the others from being stored: it goes without a checkpoint. */
  private async send(rows: readonly string[]): Promise<void> {
    try {
      await this.settlement.checkpoint(`[${rows.join(',')}]`);
    } catch (error) {
      if (classifyFailure(sqlStateOf(error) ?? undefined) !== 'data') throw error;
      this.logger.error({ event: 'checkpoint.poison', rows: rows.length, error });
      if (rows.length === 1) return;
      for (const row of rows) await this.send([row]);
    }
  }

  private pauseStale(nowMs: number): void {
    for (const running of this.running.values()) {
      const sinceMs = nowMs - (running.checkpointedAtMs ?? running.generation.admittedMs);
      if (sinceMs > this.settings.checkpointStaleMsMax + openAfterMs) running.setPaused?.(true);
    }
  }
}
