import { Injectable } from '@nestjs/common';
import { sqlStateOf, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { deadSessions, nothingObserved, observe, type Observation } from './reaping.js';
import { expireClaims, listBeats, reapSilent } from './reaping.store.js';

export interface ReapingSettings {
  readonly sessionTtlMs: number;
}

const looksPerTtl = 8;
const lookMsMax = 1_000;
const expireMs = 10_000;
/** More than a thousand keys a second outrun this; what is left takes room and nothing else. */
const claimsPerExpiryMax = 10_000;

/** Watches heartbeats, reaps dead sessions and expires idempotency keys. Several may run at once: a lock in the database lets one of them work. */
@Injectable()
export class ReapingService {
  private observation: Observation = nothingObserved;
  private readonly timers: NodeJS.Timeout[] = [];
  private busy = false;

  constructor(
    private readonly settings: ReapingSettings,
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly onReaped: () => void,
  ) {}

  start(): void {
    const lookMs = Math.min(lookMsMax, this.settings.sessionTtlMs / looksPerTtl);
    this.timers.push(setInterval(() => void this.look(), lookMs), setInterval(() => void this.expire(), expireMs));
  }

  stop(): void {
    this.timers.forEach(clearInterval);
  }

  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const { sessionTtlMs } = this.settings;
      this.observation = observe(this.observation, await listBeats(this.pool), this.clock.monotonicMs(), sessionTtlMs);
      for (const { sessionId, beat } of deadSessions(this.observation, sessionTtlMs)) {
        const reaped = await reapSilent(this.pool, sessionId, beat);
        this.logger.warn({ event: 'session.reaped', sessionId, ...reaped });
        if (reaped.reaped) this.onReaped();
      }
    } catch (error) {
      this.logger.warn({ event: 'reaping.failed', sqlState: sqlStateOf(error), error });
    } finally {
      this.busy = false;
    }
  }

  private async expire(): Promise<void> {
    try {
      await expireClaims(this.pool, claimsPerExpiryMax);
    } catch (error) {
      this.logger.warn({ event: 'expiry.failed', sqlState: sqlStateOf(error), error });
    }
  }
}
