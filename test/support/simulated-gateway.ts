import {
  abandonAsk,
  addReturns,
  bisectFlush,
  cancelWait,
  classifyFailure,
  collectReturns,
  createReturnQueue,
  createSettlementQueue,
  createWallet,
  finishFlush,
  finishReturns,
  isIdle,
  receiveAnswer,
  releaseHold,
  requestHold,
  startFlush,
  startReturns,
  tickWallet,
  unreturned,
  unsettled,
  type Ask,
  type AskAnswer,
  type Entry,
  type Flush,
  type FlushLimits,
  type ReturnRow,
  type SettlementQueue,
  type Wallet,
  type WalletEffect,
  type WalletLimits,
} from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import type { SimulatedDatabase, UsageRow } from './simulated-database.js';
import type { RequestEnd, SimulatedRequest } from './simulated-request.js';

/** What a gateway learns of a statement that it sent. No state: the connection broke, so the outcome is unknown. */
export type Outcome<Value> = { readonly value: Value } | { readonly sqlState: string | undefined };

export interface Statement<Value> {
  readonly name: string;
  /** Of an ask: whose money for which model it asks for. */
  readonly asks?: { readonly organizationId: string; readonly model: string };
  readonly run: (database: SimulatedDatabase) => Value;
}

/** What is around a gateway: time, chance and the network, in the hands of the scheduler. */
export interface Surroundings {
  /** Database time, as a gateway knows it. */
  nowMs(gateway: SimulatedGateway): number;
  mintId(): string;
  send<Value>(gateway: SimulatedGateway, statement: Statement<Value>, receive: (outcome: Outcome<Value>) => void): void;
  after(gateway: SimulatedGateway, waitMs: number, run: () => void): void;
  ended(gateway: SimulatedGateway, request: SimulatedRequest, end: RequestEnd): void;
  refusedForGood(request: SimulatedRequest, answer: AskAnswer): void;
}

export interface GatewayLimits extends WalletLimits, FlushLimits {
  readonly settleWaitMs: number;
  readonly openAfterMs: number;
  readonly checkpointMs: number;
  readonly returnRowsMax: number;
}

interface Account {
  readonly organizationId: string;
  readonly wallet: Wallet;
  lastAnswer: AskAnswer | null;
}

interface SimulatedEntry extends Entry {
  readonly request: SimulatedRequest;
  readonly row: UsageRow;
}

const retryMs = 50;

/**
 * The services of libs/funding without Nest, Postgres and timers: they carry the decisions of wallet.ts, returning.ts and
 * settlement.ts, which are the production ones, to a database and back. What mutations override is protected.
 */
export class SimulatedGateway {
  readonly accounts = new Map<string, Account>();
  readonly requests = new Map<string, SimulatedRequest>();
  readonly returns;
  readonly queue: SettlementQueue<SimulatedEntry>;
  isDead = false;
  isFrozen = false;
  /** The database has said that this session was reaped. */
  isEnded = false;
  private isReturning = false;
  private isFlushing = false;
  private isCheckpointing = false;
  private readonly recalled = new Set<string>();
  /** Settlements and checkpoints share one connection: one statement at a time, in their order. */
  private readonly line: (() => void)[] = [];
  private lineIsBusy = false;

  constructor(
    readonly sessionId: string,
    protected readonly limits: GatewayLimits,
    protected readonly around: Surroundings,
  ) {
    this.returns = createReturnQueue(limits.returnRowsMax);
    this.queue = createSettlementQueue<SimulatedEntry>(limits);
  }

  /** Nothing is under way and nothing waits. */
  isQuiet(): boolean {
    if (this.isDead || this.isEnded) return true;
    const asking = [...this.accounts.values()].some(({ wallet }) => wallet.ask !== null || wallet.waiters.length > 0);
    return !asking && this.requests.size === 0 && unreturned(this.returns) === 0 && unsettled(this.queue) === 0 && !this.lineIsBusy && this.line.length === 0;
  }

  admit(request: SimulatedRequest): void {
    this.requests.set(request.id, request);
    const account = this.accountOf(request.plan.organizationId);
    this.perform(account, requestHold(account.wallet, request.plan, this.around.mintId(), this.around.nowMs(this)));
  }

  /** The lane wrote some more, or all of it. */
  progress(request: SimulatedRequest): void {
    if (request.state !== 'running') return;
    request.advance();
    if (request.stepsDone === request.plan.steps) this.settle(request, request.chargeSoFar);
  }

  /** The lane failed before its first token. */
  failUpstream(request: SimulatedRequest): void {
    if (request.state === 'running' && request.stepsDone === 0) this.settle(request, 0n);
  }

  /** The client left. */
  abort(request: SimulatedRequest): void {
    if (request.state === 'waiting') {
      cancelWait(this.accountOf(request.plan.organizationId).wallet, request.id);
      this.finish(request, 'left');
    } else if (request.state === 'running') this.settle(request, request.chargeSoFar);
  }

  /** A fault of ours ended it before there was anything to settle. */
  abandon(request: SimulatedRequest): void {
    if (request.state !== 'running') return;
    if (request.opened) return this.settle(request, 0n);
    this.finish(request, 'error');
    this.release(request, 0n);
  }

  tick(): void {
    if (this.isEnded) return;
    const nowMs = this.around.nowMs(this);
    for (const [organizationId, account] of this.accounts) {
      this.perform(account, tickWallet(account.wallet, this.around.mintId(), nowMs));
      addReturns(this.returns, organizationId, collectReturns(account.wallet, this.recalled, nowMs));
      if (isIdle(account.wallet)) this.accounts.delete(organizationId);
    }
    this.recalled.clear();
    this.sendReturns();
    this.checkpoint(nowMs);
    for (const request of this.requests.values()) {
      if (request.state === 'settling' && request.end === null && nowMs - request.settlingSinceMs > this.limits.settleWaitMs) this.tell(request, 'error');
    }
  }

  poll(): void {
    this.around.send(this, { name: 'gateway_poll', run: (database) => database.poll(this.sessionId) }, (outcome) => {
      if (!('value' in outcome)) return;
      if (!outcome.value.alive) return this.end();
      outcome.value.recalled.forEach((leaseId) => this.recalled.add(leaseId));
    });
  }

  beat(): void {
    if (!this.isEnded) this.around.send(this, { name: 'session_confirm', run: (database) => database.beat(this.sessionId) }, () => undefined);
  }

  /** For a drain, when no request is left: every free slice goes back. */
  returnAll(): void {
    for (const [organizationId, { wallet }] of this.accounts) {
      const all = new Set(wallet.leases.map(({ id }) => id));
      addReturns(this.returns, organizationId, collectReturns(wallet, all, this.around.nowMs(this)));
    }
    this.sendReturns();
  }

  protected settle(request: SimulatedRequest, charge: Money): void {
    request.state = 'settling';
    request.settlingSinceMs = this.around.nowMs(this);
    request.charge = charge;
    const row = request.rowFor(charge);
    this.queue.pending.push({ json: row.id.padEnd(40, '.'), request, row });
    this.runQueue();
  }

  /** The charge is committed: only now may anybody be told, and what is left of the hold is free. */
  protected onCommitted(request: SimulatedRequest): void {
    this.release(request, request.charge!);
    this.finish(request, request.stepsDone === request.plan.steps ? 'success' : 'error');
  }

  /** The ask to execute again when its outcome is unknown. */
  protected askAgain(ask: Ask): Ask {
    return ask;
  }

  /** The flush to execute again when its outcome is unknown; null when it is taken for done. */
  protected flushAgain(flush: Flush<SimulatedEntry>): Flush<SimulatedEntry> | null {
    return flush;
  }

  /** The rows of a flush as they are sent. */
  protected rowsOf(flush: Flush<SimulatedEntry>): readonly UsageRow[] {
    return flush.entries.map(({ row }) => row);
  }

  protected returnsToSend(): readonly ReturnRow[] {
    return startReturns(this.returns);
  }

  protected bisect(flush: Flush<SimulatedEntry>): SimulatedEntry | null {
    return bisectFlush(this.queue, flush);
  }

  protected release(request: SimulatedRequest, charge: Money): void {
    if (!request.hold || request.holdIsReleased) throw new Error(`the hold of ${request.id} is released twice`);
    request.holdIsReleased = true;
    const account = this.accountOf(request.plan.organizationId);
    this.perform(account, releaseHold(account.wallet, request.hold, charge, this.around.nowMs(this)));
  }

  /** A reaped session: a zombie settles nothing, and no answer of it ends with success. */
  protected end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    for (const { wallet } of this.accounts.values()) abandonAsk(wallet);
    for (const request of [...this.requests.values()]) this.finish(request, 'lost');
  }

  protected finish(request: SimulatedRequest, end: RequestEnd): void {
    this.requests.delete(request.id);
    request.state = 'ended';
    this.tell(request, end);
  }

  private tell(request: SimulatedRequest, end: RequestEnd): void {
    if (request.end !== null) return;
    request.end = end;
    this.around.ended(this, request, end);
  }

  private accountOf(organizationId: string): Account {
    const known = this.accounts.get(organizationId);
    if (known) return known;
    const account = { organizationId, wallet: createWallet(this.limits, this.around.nowMs(this)), lastAnswer: null };
    this.accounts.set(organizationId, account);
    return account;
  }

  private perform(account: Account, effects: readonly WalletEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'ask') {
        this.sendAsk(account, effect.ask);
        continue;
      }
      const request = this.requests.get(effect.kind === 'admitted' ? effect.hold.id : effect.id);
      if (!request) throw new Error('a request is answered that is not waiting');
      if (effect.kind === 'admitted') {
        request.hold = effect.hold;
        request.state = 'running';
      } else {
        request.refusal = effect.reason;
        if (effect.reason === 'insufficient_quota') this.around.refusedForGood(request, account.lastAnswer!);
        this.finish(request, 'refused');
      }
    }
  }

  private sendAsk(account: Account, ask: Ask): void {
    if (this.isEnded) return;
    const run = (database: SimulatedDatabase): AskAnswer => database.takeLeases(this.sessionId, account.organizationId, ask);
    const asks = { organizationId: account.organizationId, model: ask.model };
    this.around.send(this, { name: `lease_take ${ask.id} need ${ask.need} least ${ask.least} spare ${ask.spare}`, asks, run }, (outcome) => {
      if (this.isEnded) return;
      if ('value' in outcome) {
        account.lastAnswer = outcome.value;
        return this.perform(account, receiveAnswer(account.wallet, outcome.value, this.around.nowMs(this)));
      }
      if (outcome.sqlState === 'KT001') return this.end();
      this.around.after(this, retryMs, () => this.sendAsk(account, this.askAgain(ask)));
    });
  }

  private sendReturns(): void {
    if (this.isReturning || this.isEnded || unreturned(this.returns) === 0) return;
    const batch = this.returnsToSend();
    this.isReturning = true;
    const name = `lease_return ${batch.map(({ leaseId, keep, close }) => `${leaseId} keep ${keep}${close ? ' close' : ''}`).join(', ')}`;
    this.around.send(this, { name, run: (database) => database.returnLeases(this.sessionId, batch) }, (outcome) => {
      this.isReturning = false;
      if ('value' in outcome) finishReturns(this.returns);
      else if (outcome.sqlState === 'KT001') this.end();
    });
  }

  private checkpoint(nowMs: number): void {
    if (this.isCheckpointing) return;
    const due = [...this.requests.values()].filter((request) => {
      if (request.state !== 'running') return false;
      const sinceMs = nowMs - (request.checkpointedAtMs ?? request.startedAtMs);
      return sinceMs >= (request.checkpointedAtMs === null ? this.limits.openAfterMs : this.limits.checkpointMs);
    });
    if (due.length === 0) return;
    this.isCheckpointing = true;
    for (const request of due) request.opened = true;
    const rows = due.map((request) => ({ organizationId: request.plan.organizationId, id: request.id, settlement: [request.rowFor(request.chargeSoFar)] }));
    const charges = due.map((request) => request.chargeSoFar);
    const name = `checkpoint_requests ${due.map(({ id }) => id).join(', ')}`;
    this.onLine({ name, run: (database) => database.checkpoint(this.sessionId, rows) }, (outcome) => {
      this.isCheckpointing = false;
      if (!('value' in outcome)) return outcome.sqlState === 'KT001' ? this.end() : undefined;
      for (const [index, request] of due.entries()) {
        request.checkpointed = charges[index]!;
        request.checkpointedAtMs = nowMs;
      }
    });
  }

  private runQueue(): void {
    if (this.isFlushing || this.isEnded) return;
    const flush = startFlush(this.queue);
    if (!flush) return;
    this.isFlushing = true;
    this.execute(flush);
  }

  private execute(flush: Flush<SimulatedEntry>): void {
    if (this.isEnded) return;
    const rows = this.rowsOf(flush);
    const { number } = flush;
    const name = `settle ${number}: ${rows.map(({ id, charge }) => `${id} ${charge}`).join(', ')}`;
    this.onLine({ name, run: (database) => database.settle(this.sessionId, number, rows) }, (outcome) => {
      if (this.isEnded) return;
      if ('value' in outcome) return this.committed(flush);
      const failure = classifyFailure(outcome.sqlState);
      if (failure === 'fenced') return this.end();
      if (failure === 'data') {
        const poison = this.bisect(flush);
        if (poison) return this.quarantine(poison, `settle:${outcome.sqlState}`);
        this.isFlushing = false;
        return this.runQueue();
      }
      const again = this.flushAgain(flush);
      if (!again) return this.committed(flush);
      this.around.after(this, retryMs, () => this.execute(again));
    });
  }

  private committed(flush: Flush<SimulatedEntry>): void {
    for (const { request } of finishFlush(this.queue, flush)) this.onCommitted(request);
    this.isFlushing = false;
    this.runQueue();
  }

  private quarantine({ request, row }: SimulatedEntry, reason: string): void {
    if (this.isEnded) return;
    this.onLine({ name: `usage_quarantine_put ${row.id}`, run: (database) => database.quarantineSettlement(this.sessionId, row, reason) }, (outcome) => {
      if (this.isEnded) return;
      if (!('value' in outcome)) return outcome.sqlState === 'KT001' ? this.end() : this.around.after(this, retryMs, () => this.quarantine({ json: '', request, row }, reason));
      this.finish(request, 'error');
      this.release(request, 0n);
      this.isFlushing = false;
      this.runQueue();
    });
  }

  private onLine<Value>(statement: Statement<Value>, receive: (outcome: Outcome<Value>) => void): void {
    this.line.push(() =>
      this.around.send(this, statement, (outcome) => {
        this.lineIsBusy = false;
        receive(outcome);
        this.nextOnLine();
      }),
    );
    this.nextOnLine();
  }

  private nextOnLine(): void {
    if (this.lineIsBusy) return;
    const next = this.line.shift();
    if (!next) return;
    this.lineIsBusy = true;
    next();
  }
}
