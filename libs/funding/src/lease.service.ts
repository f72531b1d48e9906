import { Injectable } from '@nestjs/common';
import type { Money } from '@kilotoken/money';
import { AppError, createPool, mintId, sqlStateOf, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { returnLeases, takeLeases } from './funding.store.js';
import type { Hold } from './lease.js';
import { addReturns, collectReturns, createReturnQueue, finishReturns, startReturns, unreturned } from './returning.js';
import type { SessionService } from './session.service.js';
import {
  abandonAsk,
  cancelWait,
  couldCover,
  createWallet,
  isIdle,
  receiveAnswer,
  releaseHold,
  requestHold,
  tickWallet,
  unspent,
  type Ask,
  type HoldRequest,
  type Refusal,
  type Wallet,
  type WalletEffect,
  type WalletLimits,
} from './wallet.js';

export interface LeaseSettings extends WalletLimits {
  readonly databaseUrl: string;
  /** Organizations that a tick looks at for what can go back: with more of them, each is looked at every so many ticks. */
  readonly sweptPerTickMax: number;
}

/** Which wallet: an organization's money of one unit. */
export interface FundsOf {
  readonly organizationId: string;
  readonly unit: string;
}

interface Account extends FundsOf {
  readonly wallet: Wallet;
  readonly waiting: Map<string, { resolve: (hold: Hold) => void; reject: (error: AppError) => void }>;
}

const tickMs = 50;
const returnRowsMax = 500;
/** Asks of different organizations run beside each other; each organization has one under way. */
const connectionsMax = 4;
const retryMs = 100;

export const fundingRefusals: Readonly<Record<Refusal, () => AppError>> = {
  insufficient_quota: () => new AppError({ code: 'insufficient_quota', kind: 'exhausted', publicMessage: 'Your balance does not cover the most that this request can cost. Add funds, or lower max_tokens.' }),
  balance_held: () => new AppError({ code: 'balance_held', kind: 'exhausted', publicMessage: 'Running requests hold your balance. Try again when some have ended.' }),
  too_many_waiting: () => new AppError({ code: 'balance_held', kind: 'exhausted', publicMessage: 'Running requests hold your balance, and too many others are already waiting for it. Try again shortly.' }),
};

export const fundsUnavailable = (): AppError => new AppError({ code: 'service_unavailable', kind: 'unavailable', publicMessage: 'Your balance cannot be read at the moment. Try again shortly.' });

/** Runs wallets: carries their asks and returns to Postgres and their answers back. */
@Injectable()
export class LeaseService {
  /** By organization, each with its few units: a key of both would be a text made anew for every look. */
  private readonly accounts = new Map<string, Account[]>();
  private sweep = this.accounts.entries();
  private readonly accountsWaiting = new Set<Account>();
  private readonly pool: Pool;
  private readonly timer: NodeJS.Timeout;
  private readonly returns = createReturnQueue(returnRowsMax);
  private returning: Promise<boolean> | null = null;
  /** The oldest request of an organization that is being funded from several units. */
  private readonly oldestPending = new Map<string, string>();
  private recalled = new Map<string, Set<string>>();
  /** For the next ask that is due; most calls that offer it need none. */
  private nextAskId: string | null = null;

  constructor(
    private readonly settings: LeaseSettings,
    private readonly session: SessionService,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.pool = createPool({ connectionString: settings.databaseUrl, max: connectionsMax, applicationName: 'gateway leases', statementTimeoutMs: 5_000 });
    this.timer = setInterval(() => this.tick(), tickMs);
    session.onPoll(({ recalled }) => this.recall(recalled));
    session.onEnd(() => this.refuseAll());
  }

  /**
   * A hold on an organization's money, at once where this process's leases cover it. Rejects with an AppError
   * `insufficient_quota`, `balance_held` or `service_unavailable`; then nothing is held.
   */
  hold(funds: FundsOf, request: HoldRequest): Promise<Hold> | Hold {
    if (this.session.isEnded()) throw fundsUnavailable();
    const account = this.accountOf(funds);
    const effects = requestHold(account.wallet, request, this.askId(), this.session.nowMs());
    const [first] = effects;
    if (first?.kind === 'admitted') {
      if (effects.length > 1) this.perform(account, effects.slice(1));
      return first.hold;
    }
    return new Promise<Hold>((resolve, reject) => {
      account.waiting.set(request.id, { resolve, reject });
      this.accountsWaiting.add(account);
      this.perform(account, effects);
    });
  }

  /**
   * Until it is funded, a request that several units pay may come to a wallet later than younger ones do: leases that are taken
   * meanwhile know of it. Null: there is none.
   */
  setOldestPending(organizationId: string, requestId: string | null): void {
    if (requestId === null) this.oldestPending.delete(organizationId);
    else this.oldestPending.set(organizationId, requestId);
    for (const { wallet } of this.accounts.get(organizationId) ?? []) wallet.oldestPending = requestId;
  }

  /** Asks the grants again for requests that take remainders, though the last answer was that there is nothing. */
  forgetExhausted(organizationId: string): void {
    for (const { wallet } of this.accounts.get(organizationId) ?? []) wallet.exhausted = null;
  }

  /** The client left while it waited. */
  cancel(funds: FundsOf, requestId: string): void {
    const account = this.findAccount(funds);
    if (!account) return;
    cancelWait(account.wallet, requestId);
    account.waiting.get(requestId)?.reject(fundingRefusals.balance_held());
    account.waiting.delete(requestId);
  }

  /** Call it once a hold: with its committed charge, or with 0 when nothing was charged. */
  release(funds: FundsOf, hold: Hold, charge: Money): void {
    const account = this.accountOf(funds);
    this.perform(account, releaseHold(account.wallet, hold, charge, this.session.nowMs()));
  }

  /**
   * The organization's remaining balance as far as this process knows: its grants at the last ask, and its own leases. Null before
   * the first ask.
   */
  balance(funds: FundsOf): Money | null {
    const wallet = this.findAccount(funds)?.wallet;
    return wallet?.answered ? wallet.available + wallet.leasedElsewhere + unspent(wallet) : null;
  }

  /** As far as this process knows: whether a request that came at `sinceMs` could be covered once what is leased or held has come back. */
  couldCover(funds: FundsOf, request: Pick<HoldRequest, 'model' | 'least'>, sinceMs: number): boolean {
    const account = this.findAccount(funds);
    return !account || couldCover(account.wallet, request, sinceMs, this.session.nowMs());
  }

  /** The holds of this process's running requests on each grant of an organization. */
  heldByGrant(organizationId: string): Map<string, Money> {
    const held = new Map<string, Money>();
    for (const { wallet } of this.accounts.get(organizationId) ?? []) {
      for (const lease of wallet.leases) held.set(lease.grantId, (held.get(lease.grantId) ?? 0n) + lease.held);
    }
    return held;
  }

  /** Gives every free slice back; for a drain, after the last request has ended. */
  async returnAll(deadlineMs: number): Promise<void> {
    for (const account of this.allAccounts()) {
      this.queueReturns(account, new Set(account.wallet.leases.map((lease) => lease.id)));
    }
    while (unreturned(this.returns) > 0 && !this.session.isEnded() && this.clock.monotonicMs() < deadlineMs) {
      if (!(await this.sendReturns())) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.pool.end();
  }

  private findAccount({ organizationId, unit }: FundsOf): Account | undefined {
    return this.accounts.get(organizationId)?.find((account) => account.unit === unit);
  }

  private accountOf(funds: FundsOf): Account {
    const known = this.findAccount(funds);
    if (known) return known;
    const { organizationId, unit } = funds;
    const account: Account = { organizationId, unit, wallet: createWallet(this.settings, this.session.nowMs()), waiting: new Map() };
    account.wallet.oldestPending = this.oldestPending.get(organizationId) ?? null;
    this.accounts.set(organizationId, [...(this.accounts.get(organizationId) ?? []), account]);
    return account;
  }

  private askId(): string {
    return (this.nextAskId ??= mintId(this.session.nowMs()));
  }

  private allAccounts(): Account[] {
    return [...this.accounts.values()].flat();
  }

  private perform(account: Account, effects: readonly WalletEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'ask') {
        this.nextAskId = null;
        void this.ask(account, effect.ask);
        continue;
      }
      const id = effect.kind === 'admitted' ? effect.hold.id : effect.id;
      const waiter = account.waiting.get(id);
      account.waiting.delete(id);
      if (effect.kind === 'admitted') waiter?.resolve(effect.hold);
      else waiter?.reject(this.session.isCurrent() ? fundingRefusals[effect.reason]() : fundsUnavailable());
    }
  }

  /** Asks until the answer is known: the ask's id makes asking again harmless, and forgetting it would leak a slice. */
  private async ask(account: Account, ask: Ask): Promise<void> {
    while (!this.session.isEnded()) {
      try {
        const answer = await takeLeases(this.pool, this.session.id, account.organizationId, account.unit, ask);
        return this.perform(account, receiveAnswer(account.wallet, answer, this.session.nowMs()));
      } catch (error) {
        const sqlState = sqlStateOf(error);
        if (sqlState === 'KT001') return this.session.end();
        this.logger.warn({ event: 'lease.ask_failed', organizationId: account.organizationId, sqlState, error });
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  private tick(): void {
    if (this.session.isEnded()) return;
    const nowMs = this.session.nowMs();
    for (const account of this.accountsWaiting) {
      if (account.waiting.size > 0) this.perform(account, tickWallet(account.wallet, this.askId(), nowMs));
      else this.accountsWaiting.delete(account);
    }
    for (const [organizationId, leaseIds] of this.recalled) for (const account of this.accounts.get(organizationId) ?? []) this.queueReturns(account, leaseIds);
    this.recalled.clear();
    this.sweepAccounts();
    if (unreturned(this.returns) > 0) void this.sendReturns();
  }

  /** Goes on where the tick before it stopped. */
  private sweepAccounts(): void {
    for (let swept = 0; swept < this.settings.sweptPerTickMax; swept += 1) {
      const { value, done } = this.sweep.next();
      if (done) {
        this.sweep = this.accounts.entries();
        return;
      }
      const [organizationId, accounts] = value;
      for (const account of accounts) this.queueReturns(account, nothing);
      const inUse = accounts.filter(({ wallet, waiting }) => !isIdle(wallet) || waiting.size > 0);
      if (inUse.length === 0) this.accounts.delete(organizationId);
      else if (inUse.length < accounts.length) this.accounts.set(organizationId, inUse);
    }
  }

  private recall(leases: readonly { organizationId: string; leaseId: string }[]): void {
    for (const { organizationId, leaseId } of leases) {
      const known = this.recalled.get(organizationId);
      if (known) known.add(leaseId);
      else this.recalled.set(organizationId, new Set([leaseId]));
    }
  }

  private queueReturns({ organizationId, wallet }: Account, recalled: ReadonlySet<string>): void {
    addReturns(this.returns, organizationId, collectReturns(wallet, recalled, this.session.nowMs()));
  }

  /** One batch at a time, the same one until it is known to be done; whoever asks meanwhile waits for that one. */
  private sendReturns(): Promise<boolean> {
    this.returning ??= this.executeReturns().finally(() => (this.returning = null));
    return this.returning;
  }

  private async executeReturns(): Promise<boolean> {
    const batch = startReturns(this.returns);
    try {
      await returnLeases(this.pool, this.session.id, batch);
      finishReturns(this.returns);
      return true;
    } catch (error) {
      const sqlState = sqlStateOf(error);
      if (sqlState === 'KT001') this.session.end();
      else this.logger.warn({ event: 'lease.return_failed', leases: batch.length, sqlState, error });
      return false;
    }
  }

  private refuseAll(): void {
    for (const account of this.allAccounts()) {
      abandonAsk(account.wallet);
      for (const { reject } of account.waiting.values()) reject(fundsUnavailable());
      account.waiting.clear();
    }
  }
}

const nothing: ReadonlySet<string> = new Set();
