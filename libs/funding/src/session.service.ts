import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { createPool, createSystemIdMinter, sqlStateOf, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { confirmSession, endSession, poll, startSession, type PollAnswer } from './funding.store.js';

export interface SessionSettings {
  readonly databaseUrl: string;
  readonly beatMs: number;
  /** A reaper ends a session only when its heartbeat stood still for so long. */
  readonly sessionTtlMs: number;
  readonly pollMs: number;
  /** Without a poll for this long what is cached may be wrong: nothing is admitted. */
  readonly snapshotAgeMsMax: number;
  readonly release: string;
}

export type PollListener = (answer: PollAnswer) => void;

/** A poll that took longer says too little about what time it is in the database. */
const offsetRoundTripMsMax = 100;
const statementTimeoutMs = 5_000;

/**
 * This process's session: its identity for everything that moves money, its heartbeat, and its poll of what changed. The
 * heartbeat and the poll have connections of their own, so that neither waits behind money.
 *
 * A session ends for good when the database says that it was reaped: from then on this process is a zombie, which may
 * neither settle nor end a stream with success.
 */
@Injectable()
export class SessionService {
  readonly id: string;
  private readonly endKey = randomBytes(32);
  private readonly control: Pool;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly pollListeners: PollListener[] = [];
  private readonly endListeners: (() => void)[] = [];
  private polledAtMs = -Infinity;
  /** When the last beat was sent that found the session alive. */
  private confirmedAtMs = -Infinity;
  private aliveListeners = new Set<() => void>();
  private offsetMs = 0;
  private polling = false;
  private beating = false;
  private ended = false;
  version = 0n;

  constructor(
    private readonly settings: SessionSettings,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.id = createSystemIdMinter()(Math.max(0, clock.nowMs()));
    this.control = createPool({ connectionString: settings.databaseUrl, max: 2, applicationName: 'gateway control', statementTimeoutMs });
  }

  async start(): Promise<void> {
    const { release, beatMs, pollMs } = this.settings;
    const sentMs = this.clock.monotonicMs();
    await startSession(this.control, { sessionId: this.id, app: 'gateway', host: hostname(), pid: process.pid, release, endKey: this.endKey });
    this.confirm(sentMs);
    await this.pollOnce();
    this.timers.push(setInterval(() => void this.beatOnce(), beatMs), setInterval(() => void this.pollOnce(), pollMs));
  }

  /**
   * Ends the session as its reaper would, so that nobody has to wait for that. For the end of a drain: whatever is still open
   * is billed to its last checkpoint, and every lease goes back.
   */
  async close(): Promise<void> {
    if (this.ended) return;
    this.timers.forEach(clearInterval);
    await endSession(this.control, this.id, this.endKey);
  }

  async stop(): Promise<void> {
    this.timers.forEach(clearInterval);
    await this.control.end();
  }

  /** Database time in whole milliseconds, by the monotonic clock: this process's wall clock may be wrong. */
  nowMs(): number {
    return Math.floor(this.clock.monotonicMs() + this.offsetMs);
  }

  /** The offset of this process's wall clock to the database's. */
  clockOffsetMs(): number {
    return this.clock.nowMs() - this.nowMs();
  }

  /** Whether cached configuration is at most `snapshotAgeMsMax` old and this session has not been reaped. */
  isCurrent(): boolean {
    return !this.ended && this.clock.monotonicMs() - this.polledAtMs <= this.settings.snapshotAgeMsMax;
  }

  /**
   * No reaper can have ended this session yet: what leaves now is billed by this process. Unlike `isCurrent` it holds through
   * short outages, since a reaper waits for the whole time to live.
   */
  isAlive(): boolean {
    return !this.ended && this.clock.monotonicMs() - this.confirmedAtMs < this.settings.sessionTtlMs;
  }

  /** Calls `listener` once, when the session is next known to be alive; answers how to call it off. */
  onceAlive(listener: () => void): () => void {
    this.aliveListeners.add(listener);
    return () => this.aliveListeners.delete(listener);
  }

  isEnded(): boolean {
    return this.ended;
  }

  onPoll(listener: PollListener): void {
    this.pollListeners.push(listener);
  }

  onEnd(listener: () => void): void {
    this.endListeners.push(listener);
  }

  /** The database has said that this session was reaped. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.timers.forEach(clearInterval);
    this.logger.fatal({ event: 'session.reaped', sessionId: this.id });
    this.endListeners.forEach((listener) => listener());
  }

  private async beatOnce(): Promise<void> {
    if (this.beating) return;
    this.beating = true;
    const sentMs = this.clock.monotonicMs();
    try {
      if (await confirmSession(this.control, this.id)) this.confirm(sentMs);
    } catch (error) {
      // The next beat is near; a session whose beats all fail is reaped, which is what should happen.
      this.logger.warn({ event: 'session.beat_failed', sqlState: sqlStateOf(error), error });
    } finally {
      this.beating = false;
    }
  }

  private confirm(sentMs: number): void {
    this.confirmedAtMs = sentMs;
    if (!this.isAlive()) return;
    const listeners = [...this.aliveListeners];
    this.aliveListeners.clear();
    listeners.forEach((listener) => listener());
  }

  private async pollOnce(): Promise<void> {
    if (this.polling) return;
    this.polling = true;
    const sentMs = this.clock.monotonicMs();
    try {
      const answer = await poll(this.control, this.id, this.version);
      const receivedMs = this.clock.monotonicMs();
      if (receivedMs - sentMs <= offsetRoundTripMsMax || this.polledAtMs === -Infinity) {
        this.offsetMs = answer.nowMs - (sentMs + receivedMs) / 2;
      }
      if (!answer.alive) return this.end();
      this.version = answer.version;
      this.pollListeners.forEach((listener) => listener(answer));
      // The answer was true when it was requested, not when it arrived.
      this.polledAtMs = sentMs;
    } catch (error) {
      if (this.polledAtMs === -Infinity) throw error;
      this.logger.warn({ event: 'session.poll_failed', sqlState: sqlStateOf(error), error });
    } finally {
      this.polling = false;
    }
  }
}
