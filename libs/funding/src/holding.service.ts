import { Injectable } from '@nestjs/common';
import type { Money } from '@kilotoken/money';
import type { AppError } from '@kilotoken/platform';
import { cancelFunding, receiveHold, remainderOf, retryFunding, startFunding, type CouldCover, type Funding, type FundingEffect, type FundingRequest } from './funding.js';
import { fundingRefusals, fundsUnavailable, type LeaseService, type LeaseSettings } from './lease.service.js';
import type { Hold } from './lease.js';
import { holdingOf, type Holding } from './legs.js';
import type { SessionService } from './session.service.js';

interface Run {
  readonly funding: Funding;
  readonly startedAtMs: number;
  outcome: Holding | AppError | null;
  /** Set once somebody waits for the outcome. */
  tell: ((outcome: Holding | AppError) => void) | null;
}

const isHere = <Value>(value: Promise<Value> | Value): value is Value => !(value instanceof Promise);

/** Holds what a request may cost at most, in one unit or over several. */
@Injectable()
export class HoldingService {
  /** Requests that are being funded from several units, by organization and id, in the order of their ids. */
  private readonly runs = new Map<string, Map<string, Run>>();

  constructor(
    private readonly settings: Pick<LeaseSettings, 'floorWaitMs' | 'askAgainMs'>,
    private readonly leases: LeaseService,
    private readonly session: SessionService,
  ) {}

  /**
   * At once where this process's leases cover it. Rejects with an AppError `insufficient_quota`, `balance_held` or
   * `service_unavailable`; then nothing is held.
   */
  hold(request: FundingRequest): Promise<Holding> | Holding {
    const { id, organizationId, model, units } = request;
    if (units.length > 1) return this.holdUnits(request);
    const [{ unit, want, least }] = units;
    const hold = this.leases.hold({ organizationId, unit }, { id, model, want, least });
    return isHere(hold) ? holdingOf(unit, hold) : hold.then((late) => holdingOf(unit, late));
  }

  /** The client left while it waited. */
  cancel({ id, organizationId, units }: FundingRequest): void {
    const run = this.runs.get(organizationId)?.get(id);
    if (run) {
      this.perform(run, cancelFunding(run.funding));
      this.finish(run, fundingRefusals.balance_held());
    }
    for (const { unit } of units) this.leases.cancel({ organizationId, unit }, id);
  }

  /** Call it once a holding: with its committed charges, `charges[i]` in `units[i]`, or with none when nothing was charged. */
  release(organizationId: string, { units }: Holding, charges?: readonly Money[]): void {
    units.forEach(({ unit, hold }, of) => this.leases.release({ organizationId, unit }, hold, charges?.[of] ?? 0n));
  }

  private holdUnits(request: FundingRequest): Promise<Holding> | Holding {
    if (this.session.isEnded()) throw fundsUnavailable();
    const startedAtMs = this.session.nowMs();
    const { funding, effects } = startFunding(request, startedAtMs + this.settings.floorWaitMs);
    const run: Run = { funding, startedAtMs, outcome: null, tell: null };
    this.add(run);
    this.perform(run, effects);
    const { outcome } = run;
    if (outcome instanceof Error) throw outcome;
    if (outcome) return outcome;
    return new Promise((resolve, reject) => {
      run.tell = (late) => (late instanceof Error ? reject(late) : resolve(late));
    });
  }

  private perform(run: Run, effects: readonly FundingEffect[]): void {
    const { organizationId } = run.funding.request;
    for (const effect of effects) {
      if (effect.kind === 'hold') this.holdEach(run);
      else if (effect.kind === 'release') this.leases.release({ organizationId, unit: effect.unit.unit }, effect.unit.hold, 0n);
      else if (effect.kind === 'wait') setTimeout(() => this.retry(run), this.settings.askAgainMs);
      else this.finish(run, effect.kind === 'funded' ? effect.holding : this.session.isCurrent() ? fundingRefusals[effect.reason]() : fundsUnavailable());
    }
  }

  private retry(run: Run): void {
    if (this.session.isEnded()) return this.finish(run, fundsUnavailable());
    this.leases.forgetExhausted(run.funding.request.organizationId);
    this.perform(run, retryFunding(run.funding));
  }

  private holdEach(run: Run): void {
    const { request } = run.funding;
    const holds = request.units.map((unit) => this.leases.hold({ organizationId: request.organizationId, unit: unit.unit }, remainderOf(request, unit)));
    holds.forEach((hold, of) => {
      if (isHere(hold)) return this.receive(run, of, hold);
      hold.then(
        (late) => this.receive(run, of, late),
        (error: AppError) => {
          this.receive(run, of, error.code === 'insufficient_quota' ? 'insufficient_quota' : 'balance_held');
        },
      );
    });
  }

  private receive(run: Run, of: number, answer: Hold | 'insufficient_quota' | 'balance_held'): void {
    const { organizationId, model } = run.funding.request;
    const couldCover: CouldCover = ({ unit, least }) => this.leases.couldCover({ organizationId, unit }, { model, least }, run.startedAtMs);
    this.perform(run, receiveHold(run.funding, of, answer, this.session.nowMs(), couldCover));
  }

  private add(run: Run): void {
    const { id, organizationId } = run.funding.request;
    const runs = this.runs.get(organizationId) ?? new Map<string, Run>();
    this.runs.set(organizationId, runs.set(id, run));
    this.tellOldest(organizationId, runs);
  }

  private finish(run: Run, outcome: Holding | AppError): void {
    if (run.outcome) return;
    run.outcome = outcome;
    const { id, organizationId } = run.funding.request;
    const runs = this.runs.get(organizationId)!;
    runs.delete(id);
    if (runs.size === 0) this.runs.delete(organizationId);
    this.tellOldest(organizationId, runs);
    run.tell?.(outcome);
  }

  /** Requests come in the order of their ids, so the first one is the oldest. */
  private tellOldest(organizationId: string, runs: ReadonlyMap<string, Run>): void {
    const [oldest = null] = runs.keys();
    this.leases.setOldestPending(organizationId, oldest);
  }
}
