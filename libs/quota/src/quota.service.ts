import { Injectable } from '@nestjs/common';
import { createPool, mintId, sqlStateOf, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Amount, Limit } from './limit.js';
import {
  cancelRequest,
  endReservation,
  failExchange,
  hasFree,
  recallAll,
  recallCounter,
  receiveStates,
  requestReservation,
  tickQuota,
} from './quota.js';
import { createQuota, type Exchange, type Need, type Quota, type QuotaEffect, type QuotaRefusal, type QuotaTimes, type Reservation } from './quota-state.js';
import { exchangeLimits } from './quota.store.js';

export interface QuotaSettings {
  readonly databaseUrl: string;
  /** How many requests of one organization may wait for what others hold. */
  readonly waitersMax: number;
}

/** The gateway's session, as far as limits need it. */
export interface QuotaSession {
  readonly id: string;
  nowMs(): number;
  isCurrent(): boolean;
  isEnded(): boolean;
  end(): void;
}

/** The parts of a poll that concern limits. */
export interface QuotaNews {
  /** Null: more changes than are listed. */
  readonly changes: readonly { readonly organizationId: string | null }[] | null;
  readonly recalledLimits: readonly { readonly organizationId: string; readonly limitId: string; readonly subject: string }[];
}

export type Decision =
  | { readonly kind: 'reserved'; readonly reservation: Reservation }
  | { readonly kind: 'refused'; readonly refusal: QuotaRefusal }
  /** The database is away, or the session has ended: nothing can be admitted under a limit. */
  | { readonly kind: 'unavailable' };

interface Account {
  readonly organizationId: string;
  readonly quota: Quota;
  readonly waiting: Map<string, (decision: Decision) => void>;
}

const times: Omit<QuotaTimes, 'waitersMax'> = {
  // Long enough for another gateway to hear in a poll that something is wanted back, and to give it.
  waitMs: 600,
  answerMs: 1_500,
  askAgainMs: 100,
  shortMs: 250,
  returnMs: 250,
  idleMs: 2_000,
  idleNearLimitMs: 250,
  forgetMs: 60_000,
  rowsMax: 200,
  restMs: 10_000,
  countersMax: 20_000,
};
const tickMs = 50;
/** Exchanges of different organizations run beside each other; each organization has one under way. */
const connectionsMax = 4;
const retryMs = 100;
const unavailable: Decision = { kind: 'unavailable' };

/** Runs quotas: carries their exchanges to Postgres and the answers back. */
@Injectable()
export class QuotaService {
  private readonly accounts = new Map<string, Account>();
  private readonly pool: Pool;
  private readonly timer: NodeJS.Timeout;
  private readonly times: QuotaTimes;

  constructor(
    { databaseUrl, waitersMax }: QuotaSettings,
    private readonly session: QuotaSession,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.times = { ...times, waitersMax };
    this.pool = createPool({ connectionString: databaseUrl, max: connectionsMax, applicationName: 'gateway limits', statementTimeoutMs: 5_000 });
    this.timer = setInterval(() => this.tick(), tickMs);
  }

  /** Reserves in all limits or in none: at once where this process's slices cover it. */
  reserve(organizationId: string, requestId: string, needs: readonly Need[]): Decision | Promise<Decision> {
    if (this.session.isEnded()) return unavailable;
    const account = this.accountOf(organizationId);
    const effects = requestReservation(account.quota, { id: requestId, needs }, this.mint(), this.session.nowMs());
    const [first] = effects;
    if (first && first.kind !== 'exchange') {
      this.perform(account, effects.slice(1));
      return first.kind === 'unanswered' ? unavailable : first;
    }
    return new Promise((resolve) => {
      account.waiting.set(requestId, resolve);
      this.perform(account, effects);
    });
  }

  /** A request that will reserve, later than younger ones may: slices that are taken until `forget` know of it. */
  expect(organizationId: string, requestId: string): void {
    this.accountOf(organizationId).quota.expected.add(requestId);
  }

  /** It has reserved, or will not. */
  forget(organizationId: string, requestId: string): void {
    this.accounts.get(organizationId)?.quota.expected.delete(requestId);
  }

  /** The client left while it waited: nothing is reserved. */
  cancel(organizationId: string, requestId: string): void {
    const account = this.accounts.get(organizationId);
    if (!account) return;
    cancelRequest(account.quota, requestId);
    account.waiting.get(requestId)?.(unavailable);
    account.waiting.delete(requestId);
  }

  /** Call it once a reservation: with what was used of each limit's measure, or with null when the request was not admitted after all. */
  end(organizationId: string, reservation: Reservation, used: ((limit: Limit) => Amount) | null): void {
    const account = this.accountOf(organizationId);
    this.perform(account, endReservation(account.quota, reservation, used, this.session.nowMs()));
  }

  /** Takes the session's poll: changed limits, and slices that other gateways need. */
  onPoll({ changes, recalledLimits }: QuotaNews): void {
    if (changes === null) for (const { quota } of this.accounts.values()) recallAll(quota);
    for (const { organizationId } of changes ?? []) {
      const account = organizationId === null ? undefined : this.accounts.get(organizationId);
      if (account) recallAll(account.quota);
    }
    for (const { organizationId, limitId, subject } of recalledLimits) {
      const account = this.accounts.get(organizationId);
      if (account) recallCounter(account.quota, limitId, subject);
    }
  }

  /** Gives everything back; for a drain, after the last request has ended. */
  async returnAll(deadlineMs: number): Promise<void> {
    for (const { quota } of this.accounts.values()) recallAll(quota);
    const unreturned = (): boolean => [...this.accounts.values()].some(({ quota }) => quota.exchange !== null || hasFree(quota));
    while (unreturned() && !this.session.isEnded() && this.clock.monotonicMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.refuseAll();
    await this.pool.end();
  }

  private accountOf(organizationId: string): Account {
    const known = this.accounts.get(organizationId);
    if (known) return known;
    const account: Account = { organizationId, quota: createQuota(this.times), waiting: new Map() };
    this.accounts.set(organizationId, account);
    return account;
  }

  private mint(): string {
    return mintId(this.session.nowMs());
  }

  private perform(account: Account, effects: readonly QuotaEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'exchange') {
        void this.exchange(account, effect.exchange);
        continue;
      }
      const id = effect.kind === 'reserved' ? effect.reservation.id : effect.id;
      const resolve = account.waiting.get(id);
      account.waiting.delete(id);
      const isKnown = effect.kind === 'reserved' || (effect.kind === 'refused' && this.session.isCurrent());
      resolve?.(isKnown ? effect : unavailable);
    }
  }

  /** Until the answer is known: the exchange's id makes it harmless again, and forgetting it would leak a slice. */
  private async exchange(account: Account, exchange: Exchange): Promise<void> {
    while (!this.session.isEnded()) {
      try {
        const states = await exchangeLimits(this.pool, this.session.id, account.organizationId, exchange);
        return this.perform(account, receiveStates(account.quota, states, this.mint(), this.session.nowMs()));
      } catch (error) {
        const sqlState = sqlStateOf(error);
        if (sqlState === 'KT001') {
          this.session.end();
          break;
        }
        if (this.pool.ending) return;
        failExchange(account.quota);
        this.logger.warn({ event: 'limits.exchange_failed', organizationId: account.organizationId, sqlState, error });
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    this.refuseAll();
  }

  private tick(): void {
    if (this.session.isEnded()) return this.refuseAll();
    const nowMs = this.session.nowMs();
    for (const [organizationId, account] of this.accounts) {
      this.perform(account, tickQuota(account.quota, this.mint(), nowMs));
      if (account.quota.size === 0 && account.quota.exchange === null && account.waiting.size === 0 && account.quota.expected.size === 0) this.accounts.delete(organizationId);
    }
  }

  private refuseAll(): void {
    for (const { waiting } of this.accounts.values()) {
      for (const resolve of waiting.values()) resolve(unavailable);
      waiting.clear();
    }
  }
}
