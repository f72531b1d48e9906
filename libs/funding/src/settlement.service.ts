import { Injectable } from '@nestjs/common';
import { AppError, createPool, isServerAnswer, sqlStateOf, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { checkpointRequests, quarantineUsage, settle } from './funding.store.js';
import type { SessionService } from './session.service.js';
import { admitBehindGate, createSettlementGate, recordFailed, recordStalled, recordStored, settlementGateLimits, whyClosed, whyNotReady, type GateClosed, type GatewayClosed } from './settlement-gate.js';
import {
  bisectFlush,
  classifyFailure,
  createSettlementQueue,
  finishFlush,
  startFlush,
  unsettled,
  type Entry,
  type Flush,
  type FlushFailure,
  type FlushLimits,
  type SettlementQueue,
} from './settlement.js';

export interface SettlementSettings extends FlushLimits {
  readonly databaseUrl: string;
  /** Above this many unsettled requests none is admitted. */
  readonly pendingSettlesMax: number;
  /** How long an answer waits for its settlement before it ends with an error; the settlement itself goes on. */
  readonly settleWaitMs: number;
  /** Where tests kill the process. */
  readonly failpoint: (name: 'before_commit' | 'after_commit') => void;
  /** Told of each committed flush, where somebody traces. */
  readonly onFlush?: (report: FlushReport) => void;
}

export interface FlushReport {
  readonly number: bigint;
  readonly entries: number;
  /** One of its requests is traced. */
  readonly traced: boolean;
  readonly executions: number;
  /** On the monotonic clock. */
  readonly startedMs: number;
}

export interface Settlement {
  readonly organizationId: string;
  readonly usageId: string;
  readonly attempt: number;
  /** The usage rows of one request, comma-separated JSON objects. */
  readonly json: string;
  readonly traced?: boolean;
  /** The charge is committed: called once, before anybody is told, with the number of the flush. */
  readonly onCommitted: (flush: bigint) => void;
  /** The rows are in quarantine and nothing was charged: called once instead. */
  readonly onQuarantined: () => void;
}

interface PendingEntry extends Entry {
  readonly settlement: Settlement;
  /** When it is told that it has waited too long, on the monotonic clock; Infinity once it was told. */
  deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
}

/** How often it is looked for answers that have waited too long: a timer for each would cost more than the queue. */
const tickMs = 50;
const retryMsMin = 20;
const retryMsMax = 1_000;

const failed = (reason: string): AppError =>
  new AppError({ code: 'settlement_failed', kind: 'bug', publicMessage: 'The charge for this answer could not be recorded, so the answer ends here.', details: { reason } });

/**
 * Group commit. Settling needs no connection that anything else can take: its pool of one carries settlements and
 * checkpoints, in their order.
 */
@Injectable()
export class SettlementService {
  private readonly queue: SettlementQueue<PendingEntry>;
  private readonly gate = createSettlementGate(settlementGateLimits);
  private readonly pool: Pool;
  private readonly timer: NodeJS.Timeout;
  /** On its way into quarantine, and in the queue no more. */
  private poison: PendingEntry | null = null;
  private running = false;
  private warned = false;

  constructor(
    private readonly settings: SettlementSettings,
    private readonly session: SessionService,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.queue = createSettlementQueue<PendingEntry>(settings);
    this.pool = createPool({ connectionString: settings.databaseUrl, max: 1, min: 1, applicationName: 'gateway settle', statementTimeoutMs: 15_000 });
    // A commit that a standby did not confirm is reported as a warning alone: it counts as unknown.
    this.pool.on('connect', (client) =>
      client.on('notice', ({ severity }) => {
        if (severity === 'WARNING') this.warned = true;
      }),
    );
    this.timer = setInterval(() => this.rejectLate(), tickMs);
    session.onEnd(() => this.rejectAll());
  }

  /** Opens the connection, which stays: when the server has none left for anybody, what runs is settled all the same. */
  async start(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  unsettled(): number {
    return unsettled(this.queue);
  }

  isFull(): boolean {
    return this.unsettled() >= this.settings.pendingSettlesMax;
  }

  /** Why nobody is to be sent here, while settlements fail in a row. */
  whyNotReady(): GatewayClosed | null {
    return whyNotReady(this.gate, this.clock.monotonicMs());
  }

  /** Why this organization's requests are refused, while its settlements or everybody's fail. */
  whyClosed(organizationId: string): GateClosed | null {
    return whyClosed(this.gate, organizationId, this.clock.monotonicMs());
  }

  /** The same for a request that goes on where the answer is null: it may be the one on trial. */
  admit(organizationId: string): GateClosed | null {
    return admitBehindGate(this.gate, organizationId, this.clock.monotonicMs());
  }

  /** Resolves when the usage rows are committed. Rejects with `settlement_failed`; then the answer must not end with success. */
  settle(settlement: Settlement): Promise<void> {
    if (this.session.isEnded()) return Promise.reject(failed('the session was reaped'));
    return new Promise((resolve, reject) => {
      const deadlineMs = this.clock.monotonicMs() + this.settings.settleWaitMs;
      this.queue.pending.push({ json: settlement.json, settlement, deadlineMs, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  /** Opens or checkpoints running requests; rejects when it is not known to be done. */
  async checkpoint(rowsJson: string): Promise<void> {
    try {
      await checkpointRequests(this.pool, this.session.id, rowsJson);
    } catch (error) {
      if (sqlStateOf(error) === 'KT001') this.session.end();
      throw error;
    }
  }

  /** Keeps what a vendor sent and nobody could use; billing does not depend on it. */
  async quarantine(organizationId: string, usageId: string, attempt: number, reason: string, raw: Buffer): Promise<void> {
    await quarantineUsage(this.pool, this.session.id, { organizationId, usageId, attempt, reason, raw });
  }

  /** Waits for what is pending, for a drain. */
  async finish(deadlineMs: number): Promise<void> {
    while (this.unsettled() > 0 && !this.session.isEnded() && this.clock.monotonicMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.pool.end();
  }

  private async run(): Promise<void> {
    this.running = true;
    // Requests that finish in one turn of the event loop settle together.
    await new Promise(setImmediate);
    try {
      for (let flush = startFlush(this.queue); flush && !this.session.isEnded(); flush = startFlush(this.queue)) await this.flush(flush);
    } finally {
      this.running = false;
    }
  }

  /** Executes one flush until its outcome is known. */
  private async flush(flush: Flush<PendingEntry>): Promise<void> {
    const json = `[${flush.entries.map((entry) => entry.json).join(',')}]`;
    const startedMs = this.clock.monotonicMs();
    let executions = 0;
    for (let waitMs = retryMsMin; !this.session.isEnded(); waitMs = Math.min(waitMs * 2, retryMsMax)) {
      executions += 1;
      const failed = await this.execute(flush, json);
      if (!failed) return this.finishFlush(flush, executions, startedMs);
      if (failed.failure === 'fenced') return this.session.end();
      if (failed.failure === 'data') {
        const poison = bisectFlush(this.queue, flush);
        this.poison = poison;
        if (poison) await this.quarantinePoison(poison, failed.sqlState ?? 'unknown');
        this.poison = null;
        return;
      }
      recordStalled(this.gate, this.clock.monotonicMs());
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** Null when the flush is committed. */
  private async execute(flush: Flush<PendingEntry>, json: string): Promise<{ failure: FlushFailure; sqlState: string | undefined } | null> {
    try {
      this.settings.failpoint('before_commit');
      this.warned = false;
      await settle(this.pool, this.session.id, flush.number, json);
      if (this.warned) throw new Error('the commit raised a warning');
      this.settings.failpoint('after_commit');
      return null;
    } catch (error) {
      const sqlState = sqlStateOf(error) ?? undefined;
      const failure = classifyFailure(sqlState, isServerAnswer(error) ? (error.constraint ?? null) : undefined);
      this.logger.warn({ event: 'settle.failed', flush: String(flush.number), entries: flush.entries.length, failure, sqlState, error });
      return { failure, sqlState };
    }
  }

  /** An exception here is a broken invariant, not a failed flush: it must end the process, not repeat the flush. */
  private finishFlush(flush: Flush<PendingEntry>, executions: number, startedMs: number): void {
    const { number } = flush;
    let traced = false;
    const nowMs = this.clock.monotonicMs();
    for (const { settlement, resolve } of finishFlush(this.queue, flush)) {
      recordStored(this.gate, settlement.organizationId, nowMs);
      settlement.onCommitted(number);
      traced ||= settlement.traced === true;
      resolve();
    }
    this.settings.onFlush?.({ number, entries: flush.entries.length, traced, executions, startedMs });
  }

  /** A row that no flush can hold is kept as bytes; its answer ends in an error, and its hold returns uncharged. */
  private async quarantinePoison({ settlement, reject }: PendingEntry, sqlState: string): Promise<void> {
    const { organizationId, usageId, attempt, json } = settlement;
    recordFailed(this.gate, organizationId, this.clock.monotonicMs());
    for (let waitMs = retryMsMin; !this.session.isEnded(); waitMs = Math.min(waitMs * 2, retryMsMax)) {
      try {
        await this.quarantine(organizationId, usageId, attempt, `settle:${sqlState}`, Buffer.from(json));
        this.logger.error({ event: 'settle.quarantined', organizationId, usageId, sqlState });
        settlement.onQuarantined();
        return reject(failed('quarantined'));
      } catch (error) {
        if (sqlStateOf(error) === 'KT001') return this.session.end();
        this.logger.warn({ event: 'settle.quarantine_failed', usageId, error });
        recordStalled(this.gate, this.clock.monotonicMs());
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  /** All that may wait to be told. */
  private waiting(): PendingEntry[] {
    const { underWay, bisected, pending } = this.queue;
    return [...(this.poison ? [this.poison] : []), ...(underWay?.entries ?? []), ...bisected.flat(), ...pending];
  }

  private rejectLate(): void {
    const nowMs = this.clock.monotonicMs();
    for (const entry of this.waiting()) {
      if (nowMs < entry.deadlineMs) continue;
      entry.deadlineMs = Infinity;
      entry.reject(failed('timed out'));
    }
  }

  private rejectAll(): void {
    for (const { reject } of this.waiting()) reject(failed('the session was reaped'));
  }
}
