import {
  abandonAsk,
  addReturns,
  cancelFunding,
  cancelWait,
  collectReturns,
  couldCover,
  createWallet,
  holdingOf,
  isIdle,
  receiveAnswer,
  receiveHold,
  releaseHold,
  remainderOf,
  requestHold,
  retryFunding,
  startFunding,
  tickWallet,
  type Ask,
  type AskAnswer,
  type Funding,
  type FundingEffect,
  type FundingRequest,
  type Hold,
  type Holding,
  type Refusal,
  type ReturnQueue,
  type UnitHold,
  type UnitRequest,
  type Wallet,
  type WalletEffect,
  type WalletLimits,
} from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import type { SimulatedDatabase } from './simulated-database.js';
import type { SimulatedRequest } from './simulated-request.js';

/** What a gateway learns of a statement that it sent. No state: the connection broke, so the outcome is unknown. */
export type Outcome<Value> = { readonly value: Value } | { readonly sqlState: string | undefined };

/** The subject of an ask: an organization's grants of a unit, for a model. */
export interface AskedOf {
  readonly organizationId: string;
  readonly unit: string;
  readonly model: string;
}

export interface Statement<Value> {
  readonly name: string;
  readonly asks?: AskedOf;
  readonly run: (database: SimulatedDatabase) => Value;
}

/** The last answer to a unit's wallet about its grants, when a request was refused for good. */
export interface LastAnswer {
  readonly unit: UnitRequest;
  readonly answer: AskAnswer | null;
}

interface Account {
  readonly organizationId: string;
  readonly unit: string;
  readonly wallet: Wallet;
  lastAnswer: AskAnswer | null;
}

/** A request that is being funded from several units. */
export interface FundingRun {
  readonly request: SimulatedRequest;
  readonly funding: Funding;
  readonly startedAtMs: number;
  /** Its wallets are asked; else it waits to try again. */
  isAsking: boolean;
}

/** The gateway around the wallets. */
export interface FundsOwner {
  readonly sessionId: string;
  readonly isEnded: boolean;
  readonly requests: ReadonlyMap<string, SimulatedRequest>;
  nowMs(): number;
  mintId(): string;
  send<Value>(statement: Statement<Value>, receive: (outcome: Outcome<Value>) => void): void;
  after(waitMs: number, run: () => void): void;
  end(): void;
  onFunded(request: SimulatedRequest, holding: Holding): void;
  /** `answers`: of every unit that could have been the last, where it is for good. */
  onRefused(request: SimulatedRequest, reason: Refusal, answers: readonly LastAnswer[]): void;
}

const retryMs = 50;

/**
 * LeaseService and HoldingService without Nest, Postgres and timers: carries the decisions of wallet.ts and funding.ts, which are the
 * production ones, between requests and the database. What mutations override is protected.
 */
export class SimulatedFunds {
  readonly accounts = new Map<string, Account>();
  /** By request, in the order of their ids. */
  readonly runs = new Map<string, FundingRun>();
  private readonly oldestPending = new Map<string, string>();

  constructor(
    protected readonly owner: FundsOwner,
    private readonly limits: WalletLimits,
  ) {}

  hold(request: SimulatedRequest): void {
    const { id, organizationId, model, units } = request.plan;
    if (units.length > 1) return this.holdUnits(request);
    const [{ unit, want, least }] = units;
    const account = this.accountOf(organizationId, unit);
    this.perform(account, requestHold(account.wallet, { id, model, want, least }, this.owner.mintId(), this.owner.nowMs()));
  }

  /** The client left while it waited. */
  cancel({ id, plan }: SimulatedRequest): void {
    const run = this.runs.get(id);
    if (run) {
      this.performFunding(run, cancelFunding(run.funding));
      this.finish(run);
    }
    for (const { unit } of plan.units) {
      const account = this.accounts.get(keyOf(plan.organizationId, unit));
      if (account) cancelWait(account.wallet, id);
    }
  }

  /** With the committed charges, `charges[i]` in `units[i]`, or with none when nothing was charged. */
  release(organizationId: string, { units }: Holding, charges: readonly Money[] | null): void {
    units.forEach((unit, of) => this.releaseUnit(organizationId, unit, charges?.[of] ?? 0n));
  }

  tick(returns: ReturnQueue, recalled: ReadonlySet<string>): void {
    const nowMs = this.owner.nowMs();
    for (const [key, account] of this.accounts) {
      this.perform(account, tickWallet(account.wallet, this.owner.mintId(), nowMs));
      addReturns(returns, account.organizationId, collectReturns(account.wallet, recalled, nowMs));
      if (isIdle(account.wallet)) this.accounts.delete(key);
    }
  }

  /** For a drain, when no request is left: every free slice goes back. */
  returnAll(returns: ReturnQueue): void {
    for (const { organizationId, wallet } of this.accounts.values()) {
      const all = new Set(wallet.leases.map(({ id }) => id));
      addReturns(returns, organizationId, collectReturns(wallet, all, this.owner.nowMs()));
    }
  }

  isQuiet(): boolean {
    return this.runs.size === 0 && [...this.accounts.values()].every(({ wallet }) => wallet.ask === null && wallet.waiters.length === 0);
  }

  /** The session was reaped. */
  abandonAll(): void {
    for (const { wallet } of this.accounts.values()) abandonAsk(wallet);
    this.runs.clear();
  }

  /** The request as the funding machine is asked. */
  protected fundingRequest({ plan }: SimulatedRequest): FundingRequest {
    return plan;
  }

  /** An ask as it is sent. */
  protected askToSend(_wallet: Wallet, ask: Ask): Ask {
    return ask;
  }

  /** The ask to execute again when its outcome is unknown. */
  protected askAgain(ask: Ask): Ask {
    return ask;
  }

  /** A unit, or the part of one, that a funded request does not need. */
  protected giveBack(organizationId: string, spare: UnitHold): void {
    this.releaseUnit(organizationId, spare, 0n);
  }

  /** Whether a unit could cover a request that nothing covers now. */
  protected couldCover({ request: { plan }, startedAtMs }: FundingRun, { unit, least }: UnitRequest): boolean {
    const account = this.accounts.get(keyOf(plan.organizationId, unit));
    return !account || couldCover(account.wallet, { model: plan.model, least }, startedAtMs, this.owner.nowMs());
  }

  protected onFunded(request: SimulatedRequest, holding: Holding): void {
    this.owner.onFunded(request, holding);
  }

  /** Requests come in the order of their ids, so the first one is the oldest. */
  protected tellOldest(organizationId: string): void {
    let oldest: string | null = null;
    for (const { request } of this.runs.values()) if (request.plan.organizationId === organizationId) oldest ??= request.id;
    if (oldest === null) this.oldestPending.delete(organizationId);
    else this.oldestPending.set(organizationId, oldest);
    for (const account of this.accounts.values()) if (account.organizationId === organizationId) account.wallet.oldestPending = oldest;
  }

  protected releaseUnit(organizationId: string, { unit, hold }: UnitHold, charge: Money): void {
    const account = this.accountOf(organizationId, unit);
    this.perform(account, releaseHold(account.wallet, hold, charge, this.owner.nowMs()));
  }

  private holdUnits(request: SimulatedRequest): void {
    const startedAtMs = this.owner.nowMs();
    const { funding, effects } = startFunding(this.fundingRequest(request), startedAtMs + this.limits.floorWaitMs);
    const run = { request, funding, startedAtMs, isAsking: false };
    this.runs.set(request.id, run);
    this.tellOldest(request.plan.organizationId);
    this.performFunding(run, effects);
  }

  private performFunding(run: FundingRun, effects: readonly FundingEffect[]): void {
    const { request } = run;
    const isFunded = effects.some(({ kind }) => kind === 'funded');
    for (const effect of effects) {
      if (effect.kind === 'hold') this.holdEach(run);
      else if (effect.kind === 'release') {
        if (isFunded) this.giveBack(request.plan.organizationId, effect.unit);
        else this.releaseUnit(request.plan.organizationId, effect.unit, 0n);
      } else if (effect.kind === 'wait') {
        run.isAsking = false;
        this.owner.after(this.limits.askAgainMs, () => this.retry(run));
      } else {
        this.finish(run);
        if (effect.kind === 'funded') this.onFunded(request, effect.holding);
        else this.refuse(request, effect.reason);
      }
    }
  }

  private retry(run: FundingRun): void {
    if (this.owner.isEnded) return;
    for (const { organizationId, wallet } of this.accounts.values()) if (organizationId === run.request.plan.organizationId) wallet.exhausted = null;
    this.performFunding(run, retryFunding(run.funding));
  }

  /** All wallets are asked before the first answer is looked at. */
  private holdEach(run: FundingRun): void {
    const { request } = run.funding;
    run.isAsking = true;
    run.request.tries += 1;
    const answers = request.units.map((unit) => {
      const account = this.accountOf(request.organizationId, unit.unit);
      const effects = requestHold(account.wallet, remainderOf(request, unit), this.owner.mintId(), this.owner.nowMs());
      this.perform(account, effects.filter(({ kind }) => kind === 'ask'));
      return effects.find((effect) => effect.kind !== 'ask');
    });
    answers.forEach((answer, of) => {
      if (answer) this.receive(run, of, answer.kind === 'admitted' ? answer.hold : answer.reason);
    });
  }

  private receive(run: FundingRun, of: number, answer: Hold | Refusal): void {
    const known = typeof answer === 'string' && answer !== 'insufficient_quota' ? 'balance_held' : answer;
    this.performFunding(run, receiveHold(run.funding, of, known, this.owner.nowMs(), (unit) => this.couldCover(run, unit)));
  }

  private finish({ request }: FundingRun): void {
    this.runs.delete(request.id);
    this.tellOldest(request.plan.organizationId);
  }

  private refuse(request: SimulatedRequest, reason: Refusal): void {
    const { organizationId, units } = request.plan;
    const able = units.filter(({ covers }) => covers);
    this.owner.onRefused(request, reason, able.map((unit) => ({ unit, answer: this.accounts.get(keyOf(organizationId, unit.unit))?.lastAnswer ?? null })));
  }

  private perform(account: Account, effects: readonly WalletEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'ask') {
        this.sendAsk(account, this.askToSend(account.wallet, effect.ask));
        continue;
      }
      const id = effect.kind === 'admitted' ? effect.hold.id : effect.id;
      const run = this.runs.get(id);
      const request = this.owner.requests.get(id);
      if (!request) throw new Error('a request is answered that is not waiting');
      const answer = effect.kind === 'admitted' ? effect.hold : effect.reason;
      if (run) this.receive(run, request.plan.units.findIndex(({ unit }) => unit === account.unit), answer);
      else if (typeof answer === 'string') this.refuse(request, answer);
      else this.onFunded(request, holdingOf(account.unit, answer));
    }
  }

  private sendAsk(account: Account, ask: Ask): void {
    if (this.owner.isEnded) return;
    const { organizationId, unit } = account;
    const run = (database: SimulatedDatabase): AskAnswer => database.takeLeases(this.owner.sessionId, organizationId, unit, ask);
    const name = `lease_take ${unit} ${ask.id} need ${ask.need} least ${ask.least} spare ${ask.spare}`;
    this.owner.send({ name, asks: { organizationId, unit, model: ask.model }, run }, (outcome) => {
      if (this.owner.isEnded) return;
      if ('value' in outcome) {
        account.lastAnswer = outcome.value;
        return this.perform(account, receiveAnswer(account.wallet, outcome.value, this.owner.nowMs()));
      }
      if (outcome.sqlState === 'KT001') return this.owner.end();
      this.owner.after(retryMs, () => this.sendAsk(account, this.askAgain(ask)));
    });
  }

  private accountOf(organizationId: string, unit: string): Account {
    const key = keyOf(organizationId, unit);
    const known = this.accounts.get(key);
    if (known) return known;
    const account: Account = { organizationId, unit, wallet: createWallet(this.limits, this.owner.nowMs()), lastAnswer: null };
    account.wallet.oldestPending = this.oldestPending.get(organizationId) ?? null;
    this.accounts.set(key, account);
    return account;
  }
}

const keyOf = (organizationId: string, unit: string): string => `${organizationId} ${unit}`;
