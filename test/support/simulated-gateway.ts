import {
  bisectFlush,
  classifyFailure,
  createReturnQueue,
  createSettlementQueue,
  finishFlush,
  finishReturns,
  startFlush,
  startReturns,
  unreturned,
  unsettled,
  type Entry,
  type Flush,
  type FlushLimits,
  type Holding,
  type Refusal,
  type ReturnRow,
  type SettlementQueue,
  type WalletLimits,
} from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import { shownCharges, type UsageRow } from './simulated-database.js';
import { SimulatedFunds, type FundsOwner, type LastAnswer, type Outcome, type Statement } from './simulated-funds.js';
import { nothingCounted, type Counts, type RequestEnd, type SimulatedRequest } from './simulated-request.js';

/** What is around a gateway: time, chance and the network, in the hands of the scheduler. */
export interface Surroundings {
  /** Database time, as a gateway knows it. */
  nowMs(gateway: SimulatedGateway): number;
  mintId(): string;
  send<Value>(gateway: SimulatedGateway, statement: Statement<Value>, receive: (outcome: Outcome<Value>) => void): void;
  after(gateway: SimulatedGateway, waitMs: number, run: () => void): void;
  ended(gateway: SimulatedGateway, request: SimulatedRequest, end: RequestEnd): void;
  funded(request: SimulatedRequest): void;
  refusedForGood(gateway: SimulatedGateway, request: SimulatedRequest, answers: readonly LastAnswer[]): void;
}

export interface GatewayLimits extends WalletLimits, FlushLimits {
  readonly settleWaitMs: number;
  readonly openAfterMs: number;
  readonly checkpointMs: number;
  readonly returnRowsMax: number;
}

interface SimulatedEntry extends Entry {
  readonly request: SimulatedRequest;
  readonly row: UsageRow;
}

const retryMs = 50;

/**
 * The services of libs/funding without Nest, Postgres and timers: they carry the decisions of returning.ts and settlement.ts, which
 * are the production ones, to a database and back; `SimulatedFunds` those of wallets. What mutations override is protected.
 */
export class SimulatedGateway implements FundsOwner {
  readonly funds: SimulatedFunds;
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
    Funds: typeof SimulatedFunds = SimulatedFunds,
  ) {
    this.funds = new Funds(this, limits);
    this.returns = createReturnQueue(limits.returnRowsMax);
    this.queue = createSettlementQueue<SimulatedEntry>(limits);
  }

  /** Nothing is under way and nothing waits. */
  isQuiet(): boolean {
    if (this.isDead || this.isEnded) return true;
    return this.funds.isQuiet() && this.requests.size === 0 && unreturned(this.returns) === 0 && unsettled(this.queue) === 0 && !this.lineIsBusy && this.line.length === 0;
  }

  admit(request: SimulatedRequest): void {
    this.requests.set(request.id, request);
    this.funds.hold(request);
  }

  /** The lane wrote some more, or all of it. */
  progress(request: SimulatedRequest): void {
    if (request.state !== 'running') return;
    request.advance();
    if (request.isComplete) this.settle(request, request.countsSoFar);
  }

  /** The lane failed before its first token. */
  failUpstream(request: SimulatedRequest): void {
    if (request.state === 'running' && request.stepsDone === 0) this.settle(request, nothingCounted);
  }

  /** The client left. */
  abort(request: SimulatedRequest): void {
    if (request.state === 'waiting') {
      this.funds.cancel(request);
      this.finish(request, 'left');
    } else if (request.state === 'running') this.settle(request, request.countsSoFar);
  }

  /** A fault of ours ended it before there was anything to settle. */
  abandon(request: SimulatedRequest): void {
    if (request.state !== 'running') return;
    if (request.opened) return this.settle(request, nothingCounted);
    this.finish(request, 'error');
    this.release(request, null);
  }

  tick(): void {
    if (this.isEnded) return;
    const nowMs = this.around.nowMs(this);
    this.funds.tick(this.returns, this.recalled);
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
    this.funds.returnAll(this.returns);
    this.sendReturns();
  }

  nowMs(): number {
    return this.around.nowMs(this);
  }

  mintId(): string {
    return this.around.mintId();
  }

  send<Value>(statement: Statement<Value>, receive: (outcome: Outcome<Value>) => void): void {
    this.around.send(this, statement, receive);
  }

  after(waitMs: number, run: () => void): void {
    this.around.after(this, waitMs, run);
  }

  /** A reaped session: a zombie settles nothing, and no answer of it ends with success. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.funds.abandonAll();
    for (const request of [...this.requests.values()]) this.finish(request, 'lost');
  }

  onFunded(request: SimulatedRequest, holding: Holding): void {
    request.holding = holding;
    request.state = 'running';
    this.around.funded(request);
  }

  onRefused(request: SimulatedRequest, reason: Refusal, answers: readonly LastAnswer[]): void {
    request.refusal = reason;
    if (reason === 'insufficient_quota') this.around.refusedForGood(this, request, answers);
    this.finish(request, 'refused');
  }

  protected settle(request: SimulatedRequest, counts: Counts): void {
    request.state = 'settling';
    request.settlingSinceMs = this.around.nowMs(this);
    request.charges = request.chargesOf(counts);
    const row = this.rowFor(request, counts);
    this.queue.pending.push({ json: row.id.padEnd(40, '.'), request, row });
    this.runQueue();
  }

  /** The charge is committed: only now may anybody be told, and what is left of the hold is free. */
  protected onCommitted(request: SimulatedRequest): void {
    this.release(request, request.charges);
    this.finish(request, request.isComplete ? 'success' : 'error');
  }

  protected rowFor(request: SimulatedRequest, counts: Counts): UsageRow {
    return request.rowFor(counts);
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

  protected release(request: SimulatedRequest, charges: readonly Money[] | null): void {
    if (!request.holding || request.holdIsReleased) throw new Error(`the hold of ${request.id} is released twice`);
    request.holdIsReleased = true;
    this.funds.release(request.plan.organizationId, request.holding, charges);
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
    const rows = due.map((request) => ({ organizationId: request.plan.organizationId, id: request.id, settlement: [this.rowFor(request, request.countsSoFar)] }));
    const name = `checkpoint_requests ${due.map(({ id }) => id).join(', ')}`;
    this.onLine({ name, run: (database) => database.checkpoint(this.sessionId, rows) }, (outcome) => {
      this.isCheckpointing = false;
      if (!('value' in outcome)) return outcome.sqlState === 'KT001' ? this.end() : undefined;
      for (const request of due) {
        request.isCheckpointed = true;
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
    const name = `settle ${number}: ${rows.map((row) => `${row.id} ${shownCharges(row)}`).join(', ')}`;
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
      this.release(request, null);
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
