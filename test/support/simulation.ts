import { deadSessions, nothingObserved, observe, type AskAnswer, type Observation } from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import { SeededRandom } from './seeded-random.js';
import { isOver, isPoison, shownCharges, SimulatedDatabase, SqlError, type SimulatedGrant } from './simulated-database.js';
import type { AskedOf, LastAnswer, Outcome, SimulatedFunds, Statement } from './simulated-funds.js';
import { SimulatedGateway, type Surroundings } from './simulated-gateway.js';
import { SimulatedRequest, type RequestEnd } from './simulated-request.js';
import { checkCheckpoints, checkFinal, checkGrants, checkHolding, checkQuiet, checkRequests, checkSuccess, checkWallets, Violation } from './simulation-checks.js';
import { drawGrant, drawPlan, drawRequest, sessionTtlMs, type FaultKind, type SimulationPlan } from './simulation-plan.js';

/** What a mutation replaces: the simulation must find out that something is wrong with it. */
export interface Parts {
  readonly Database?: typeof SimulatedDatabase;
  readonly Gateway?: typeof SimulatedGateway;
  readonly Funds?: typeof SimulatedFunds;
}

interface PendingEvent {
  readonly name: string;
  readonly atMs: number;
  /** Null: the network's or the database's, which goes on when a gateway dies. */
  readonly gateway: SimulatedGateway | null;
  readonly run: () => void;
}

interface SentStatement extends Statement<unknown> {
  readonly gateway: SimulatedGateway;
}

/** The amounts of grants when an ask was answered, and how much of them usage had taken by then. */
interface Spendable {
  readonly model: string;
  readonly atMs: number;
  readonly grants: readonly { readonly grant: SimulatedGrant; readonly had: Money; readonly spent: Money }[];
}

const stepsMax = 450;
const quietRoundsMax = 600;
const roundMs = 50;
const eventsPerRoundMax = 10_000;
const startMs = 1_000_000;

/**
 * One schedule: gateways that run the production machine, a database with the semantics of the SQL, and a scheduler that a
 * seed makes choose what happens next and what goes wrong. After every step the invariants are checked.
 */
export class Simulation implements Surroundings {
  readonly trace: string[] = [];
  readonly requests: SimulatedRequest[] = [];
  readonly gateways: SimulatedGateway[] = [];
  readonly database: SimulatedDatabase;
  private readonly random: SeededRandom;
  private readonly plan: SimulationPlan;
  private readonly sent: SentStatement[] = [];
  private readonly late: SentStatement[] = [];
  private readonly spendableAt = new WeakMap<AskAnswer, Spendable>();
  private readonly clockErrorMs = new WeakMap<SimulatedGateway, number>();
  private pending: PendingEvent[] = [];
  private observation: Observation = nothingObserved;
  private timeMs = startMs;
  private downUntilMs = 0;
  private isCalm = false;
  private minted = 0;
  private grantCount = 0;

  constructor(
    seed: number,
    private readonly parts: Parts = {},
    private readonly isTraced = false,
  ) {
    this.random = new SeededRandom(seed);
    this.plan = drawPlan(this.random);
    this.database = new (parts.Database ?? SimulatedDatabase)(startMs);
    for (const organizationId of this.plan.organizations) for (let grants = this.random.between(1, 3 + 3 * this.plan.packs.length); grants > 0; grants -= 1) this.issueGrant(organizationId);
    for (let index = 0; index < this.plan.gateways; index += 1) this.startGateway();
  }

  /** Throws a Violation when an invariant breaks, or whatever the machine itself threw. */
  run(): void {
    for (let step = 0; step < stepsMax && !this.isOver(); step += 1) {
      this.step();
      this.check();
    }
    this.untilQuiet();
    checkQuiet(this.gateways, this.database);
    this.executeEverythingAgain();
    for (const gateway of this.living()) gateway.returnAll();
    this.untilQuiet();
    checkQuiet(this.gateways, this.database);
    for (const gateway of this.gateways) gateway.isDead = true;
    for (let waitedMs = 0; waitedMs <= 2 * sessionTtlMs; waitedMs += roundMs) this.calmRound();
    checkFinal(this.requests, this.database);
  }

  nowMs(gateway: SimulatedGateway): number {
    return this.database.nowMs + this.clockErrorMs.get(gateway)!;
  }

  mintId(): string {
    return `id-${String((this.minted += 1)).padStart(7, '0')}`;
  }

  /** What becomes of a statement: nearly always it is executed and answered. */
  send<Value>(gateway: SimulatedGateway, statement: Statement<Value>, receive: (outcome: Outcome<Value>) => void): void {
    const sent = { ...statement, gateway };
    const answer = (outcome: Outcome<Value>): void =>
      this.schedule(gateway, `answer to ${statement.name}: ${'value' in outcome ? 'done' : (outcome.sqlState ?? 'unknown')}`, () => receive(outcome));
    const unknown = { sqlState: undefined };
    if (this.happens('requestLost', 0.1)) return answer(unknown);
    if (this.happens('deadlock', 0.05)) return answer({ sqlState: '40P01' });
    if (this.happens('late', 0.1)) {
      this.late.push(sent);
      return answer(unknown);
    }
    if (this.happens('twice', 0.1)) this.late.push(sent);
    const isAnswered = !this.happens('answerLost', 0.1);
    this.schedule(null, `execute ${statement.name}`, () => {
      const outcome = this.execute(sent) as Outcome<Value>;
      answer(isAnswered ? outcome : unknown);
    });
  }

  after(gateway: SimulatedGateway, waitMs: number, run: () => void): void {
    this.schedule(gateway, 'again', run, this.timeMs + waitMs);
  }

  ended(gateway: SimulatedGateway, request: SimulatedRequest, end: RequestEnd): void {
    this.note(`${request.id} ends: ${end}`);
    if (end === 'success') checkSuccess(gateway, request, this.database);
  }

  funded(request: SimulatedRequest): void {
    this.note(`${request.id} holds ${request.holding!.runs.map(({ of, amount }) => `${amount} ${request.holding!.units[of]!.unit}`).join(', ')}`);
    checkHolding(request, this.database);
  }

  /** 402 only where what grants had when they were asked for its model, less what was spent or ended since, covers its least hold in no unit. */
  refusedForGood(gateway: SimulatedGateway, request: SimulatedRequest, answers: readonly LastAnswer[]): void {
    for (const { unit: { unit, least }, answer } of answers) {
      const known = answer && this.spendableAt.get(answer);
      if (!known || known.model !== request.plan.model) throw new Violation(`${request.id} was refused for good, what there is in ${unit} for ${request.plan.model} was not asked`);
      // A wallet that waits for an answer takes it for whoever joined meanwhile; several wallets must not have agreed on an old one.
      if (answers.length > 1 && !this.plan.faults.has('clock') && known.atMs < request.startedAtMs) throw new Violation(`${request.id} was refused for good, what there is in ${unit} was not asked since it came`);
      const nowMs = this.nowMs(gateway);
      const left = known.grants.reduce((sum, { grant, had, spent }) => (isOver(grant, nowMs) ? sum : sum + had - (this.spentOf(grant.id) - spent)), 0n);
      if (left >= least) throw new Violation(`${request.id} was refused for good with a least hold of ${least} ${unit}, there were ${left}`);
    }
  }

  private execute({ name, gateway, asks, run }: SentStatement): Outcome<unknown> {
    if (this.timeMs < this.downUntilMs) return { sqlState: undefined };
    const wasAlive = this.database.isAlive(gateway.sessionId);
    try {
      const value = run(this.database);
      this.sent.push({ name, gateway, run });
      if (!wasAlive && /^(lease|settle|checkpoint|usage)/.test(name)) throw new Violation(`${gateway.sessionId} was reaped, and executed: ${name}`);
      if (asks) this.remember(value as AskAnswer, asks);
      return { value };
    } catch (error) {
      if (error instanceof SqlError) return { sqlState: error.sqlState };
      throw error;
    }
  }

  private remember(answer: AskAnswer, { organizationId, unit, model }: AskedOf): void {
    const grants = this.database.spendable(organizationId, unit, model).map((grant) => {
      const leases = this.database.openLeases(({ grantId }) => grantId === grant.id);
      const spent = leases.reduce((sum, { id }) => sum + (this.database.spentOfLease.get(id) ?? 0n), 0n);
      return { grant, had: grant.available + grant.leased - spent, spent: this.spentOf(grant.id) };
    });
    this.spendableAt.set(answer, { model, atMs: this.database.nowMs, grants });
  }

  private spentOf(grantId: string): Money {
    return this.database.spentOfGrant.get(grantId) ?? 0n;
  }

  private isOver(): boolean {
    return this.requests.length === this.plan.requests && this.pending.length === 0 && this.late.length === 0 && this.requests.every(({ end }) => end !== null);
  }

  private step(): void {
    const ready = this.pending.filter((event) => this.isReady(event));
    if (ready.length > 0 && this.random.chance(0.6)) return this.runEvent(this.random.pick(ready));
    const roll = this.random.next();
    if (roll < 0.2) this.startRequest();
    else if (roll < 0.45) this.onRequest((gateway, request) => gateway.progress(request));
    else if (roll < 0.65) this.onGateway((gateway) => gateway.tick());
    else if (roll < 0.77) {
      this.pass(this.random.chance(0.05) ? 1_500 : this.random.between(1, 300));
      this.look();
    } else if (roll < 0.87) this.onGateway((gateway) => (this.random.chance(0.5) ? gateway.poll() : gateway.beat()));
    else this.goWrong();
  }

  private goWrong(): void {
    if (this.late.length > 0 && this.random.chance(0.5)) {
      const [statement] = this.late.splice(this.random.below(this.late.length), 1);
      this.note(`late: ${statement!.name}`);
      this.execute(statement!);
    }
    if (this.happens('leave', 0.3)) this.onRequest((gateway, request) => gateway.abort(request));
    if (this.happens('upstream', 0.2)) this.onRequest((gateway, request) => gateway.failUpstream(request));
    if (this.happens('abandon', 0.2)) this.onRequest((gateway, request) => gateway.abandon(request));
    if (this.happens('topUp', 0.2)) this.issueGrant(this.random.pick(this.plan.organizations));
    if (this.happens('restart', 0.1)) this.restart();
    if (this.happens('clock', 0.1)) this.database.nowMs += this.random.between(-3_000, 3_000);
    if (this.happens('freeze', 0.2)) this.onGateway((gateway) => this.freeze(gateway));
    if (this.happens('kill', 0.1)) this.onGateway((gateway) => this.kill(gateway));
    if (this.happens('expiry', 0.3)) this.database.expireGrants();
    if (this.living().length < this.plan.gateways && this.random.chance(0.3)) this.startGateway();
  }

  private happens(fault: FaultKind, probability: number): boolean {
    return !this.isCalm && this.plan.faults.has(fault) && this.random.chance(probability);
  }

  private check(): void {
    checkGrants(this.database);
    for (const gateway of this.gateways) {
      checkWallets(gateway, this.database);
      checkCheckpoints(gateway, this.database);
    }
    checkRequests(this.requests, this.database);
  }

  private isReady({ atMs, gateway }: PendingEvent): boolean {
    return atMs <= this.timeMs && !gateway?.isFrozen;
  }

  private runEvent(event: PendingEvent): void {
    this.pending.splice(this.pending.indexOf(event), 1);
    if (event.gateway?.isDead) return;
    this.note(event.name);
    event.run();
  }

  private schedule(gateway: SimulatedGateway | null, name: string, run: () => void, atMs = this.timeMs): void {
    this.pending.push({ name: gateway ? `${gateway.sessionId} ${name}` : name, atMs, gateway, run });
  }

  private living(): SimulatedGateway[] {
    return this.gateways.filter(({ isDead, isEnded }) => !isDead && !isEnded);
  }

  private onGateway(act: (gateway: SimulatedGateway) => void): void {
    const awake = this.living().filter(({ isFrozen }) => !isFrozen);
    if (awake.length > 0) act(this.random.pick(awake));
  }

  private onRequest(act: (gateway: SimulatedGateway, request: SimulatedRequest) => void): void {
    this.onGateway((gateway) => {
      const requests = [...gateway.requests.values()];
      if (requests.length > 0) act(gateway, this.random.pick(requests));
    });
  }

  private startRequest(): void {
    if (this.requests.length >= this.plan.requests) return;
    this.onGateway((gateway) => {
      const request = new SimulatedRequest(drawRequest(this.random, this.plan, this.mintId()), this.database.nowMs);
      const { id, organizationId, model, units } = request.plan;
      this.note(`${gateway.sessionId} ${id} of ${organizationId} for ${model} wants ${units.map(({ unit, want, least }) => `${want} ${unit}, at least ${least}`).join(', or ')}`);
      this.requests.push(request);
      gateway.admit(request);
    });
  }

  private startGateway(): void {
    const sessionId = `session-${this.gateways.length}`;
    this.database.startSession(sessionId);
    const gateway = new (this.parts.Gateway ?? SimulatedGateway)(sessionId, this.plan.limits, this, this.parts.Funds);
    this.clockErrorMs.set(gateway, this.plan.faults.has('clock') ? this.random.between(-100, 100) : 0);
    this.gateways.push(gateway);
  }

  private issueGrant(organizationId: string): void {
    const grant = drawGrant(this.random, this.plan, organizationId, `grant-${(this.grantCount += 1)}`, this.database.nowMs);
    this.note(`${grant.id} of ${grant.granted} ${grant.unit} for ${organizationId} (${grant.models ?? 'all models'}, ends ${grant.rank.expiresAtMs})`);
    this.database.issueGrant(grant);
  }

  private kill(gateway: SimulatedGateway): void {
    this.note(`${gateway.sessionId} is killed`);
    gateway.isDead = true;
    for (const request of gateway.requests.values()) request.end ??= 'lost';
  }

  private freeze(gateway: SimulatedGateway): void {
    gateway.isFrozen = true;
    this.note(`${gateway.sessionId} freezes`);
    const thaw = (): void => {
      gateway.isFrozen = false;
    };
    this.schedule(null, `${gateway.sessionId} thaws`, thaw, this.timeMs + this.random.between(1, 2 * sessionTtlMs));
  }

  private restart(): void {
    this.downUntilMs = this.timeMs + this.random.between(1, 800);
    // What its connections had sent and it had not executed is gone; the next execution says so to whoever asked.
    this.late.length = 0;
    this.note('the database restarts');
  }

  private pass(ms: number): void {
    this.timeMs += ms;
    this.database.nowMs += ms;
  }

  private look(): void {
    if (this.timeMs < this.downUntilMs) return;
    this.observation = observe(this.observation, this.database.listBeats(), this.timeMs, sessionTtlMs);
    for (const { sessionId } of deadSessions(this.observation, sessionTtlMs)) {
      const open = [...this.database.openRequests.values()].filter((row) => row.sessionId === sessionId).map(({ settlement }) => settlement[0]!);
      this.note(`the reaper ends ${sessionId}: ${JSON.stringify(this.database.reap(sessionId))}`);
      for (const row of open) {
        const billed = this.database.usage.get(`${row.organizationId}/${row.id}/0`);
        if (!isPoison(row) && (!billed || shownCharges(billed) !== shownCharges(row))) throw new Violation(`I6: the last checkpoint of ${row.id} was worth ${shownCharges(row)}, it is billed ${billed && shownCharges(billed)}`);
      }
    }
  }

  /** Nothing goes wrong any more: every request must end, and everything that is due must get done. */
  private untilQuiet(): void {
    this.isCalm = true;
    this.downUntilMs = 0;
    for (const gateway of this.gateways) gateway.isFrozen = false;
    for (let round = 0; round < quietRoundsMax; round += 1) {
      if (this.pending.length === 0 && this.gateways.every((gateway) => gateway.isQuiet())) return;
      this.calmRound();
    }
    const waiting = this.living().flatMap((gateway) => [...gateway.requests.values()].map(({ id, state }) => `${id} ${state}`));
    throw new Violation(`not quiet after ${quietRoundsMax * roundMs} ms without faults: ${waiting.join(', ')}; ${this.pending.map(({ name }) => name).join(', ')}`);
  }

  private calmRound(): void {
    for (const gateway of this.living()) {
      gateway.beat();
      gateway.poll();
      gateway.tick();
      for (const request of [...gateway.requests.values()]) gateway.progress(request);
    }
    for (let events = 0; events < eventsPerRoundMax; events += 1) {
      const next = this.pending.find((event) => this.isReady(event));
      if (!next) break;
      this.runEvent(next);
    }
    this.look();
    this.check();
    this.pass(roundMs);
  }

  /** Every write path may be executed again at any time, in any order, and changes nothing. */
  private executeEverythingAgain(): void {
    const before = this.balances();
    const again = [...this.sent];
    while (again.length > 0) this.execute(again.splice(this.random.below(again.length), 1)[0]!);
    if (this.balances() !== before) throw new Violation(`executing everything again changed ${before} to ${this.balances()}`);
    this.check();
    checkQuiet(this.gateways, this.database);
  }

  private balances(): string {
    const grants = [...this.database.grants.values()].map(({ id, available, leased, expired, settled }) => `${id}: ${available} ${leased} ${expired} ${settled}`);
    return `${grants.join(', ')}; ${this.database.usage.size} rows of usage, ${this.database.openRequests.size} open`;
  }

  private note(event: string): void {
    if (this.isTraced) this.trace.push(`${this.timeMs} ${event}`);
  }
}
