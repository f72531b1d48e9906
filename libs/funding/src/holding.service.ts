import { Injectable } from '@nestjs/common';
import type { Money } from '@kilotoken/money';
import { fundingRefusals, fundsUnavailable, type LeaseService, type LeaseSettings } from './lease.service.js';
import { chooseLegs, holdingOf, type Holding, type UnitHold, type UnitRequest } from './legs.js';
import type { SessionService } from './session.service.js';
import type { Hold } from './wallet.js';

/** What one request may be paid with: at least one unit, packs in any order, money last. */
export interface FundingRequest {
  /** Minted with the hold: requests of an organization are funded in the order of their ids. */
  readonly id: string;
  readonly organizationId: string;
  readonly model: string;
  readonly units: readonly [UnitRequest, ...UnitRequest[]];
}

const isHere = (hold: Promise<Hold> | Hold): hold is Hold => !(hold instanceof Promise);

/** Holds what a request may cost at most, in one unit or over several. */
@Injectable()
export class HoldingService {
  /** Requests that are being funded from several units, by organization, in the order of their ids. */
  private readonly pending = new Map<string, Set<string>>();

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
    this.pending.get(organizationId)?.delete(id);
    for (const { unit } of units) this.leases.cancel({ organizationId, unit }, id);
  }

  /** Call it once a holding: with its committed charges, `charges[i]` in `units[i]`, or with none when nothing was charged. */
  release(organizationId: string, { units }: Holding, charges?: readonly Money[]): void {
    units.forEach(({ unit, hold }, of) => this.leases.release({ organizationId, unit }, hold, charges?.[of] ?? 0n));
  }

  /** Every unit holds what it can; legs are chosen of that. At once where no wallet has to ask. */
  private holdUnits(request: FundingRequest): Promise<Holding> | Holding {
    this.startPending(request);
    const holds = this.holdEach(request);
    const areHere = holds.every(isHere);
    const holding = areHere ? this.keepLegs(request, holds) : null;
    if (!holding) return this.holdUnitsLater(request, areHere ? null : holds).finally(() => this.endPending(request));
    this.endPending(request);
    return holding;
  }

  /** Tries until a unit covers the request, for as long as something is held that could come back. `first`: a try that is under way. */
  private async holdUnitsLater(request: FundingRequest, first: readonly (Promise<Hold> | Hold)[] | null): Promise<Holding> {
    const deadlineMs = this.session.nowMs() + this.settings.floorWaitMs;
    const holding = first && (await this.keepLate(request, first));
    if (holding) return holding;
    for (;;) {
      if (!this.couldCover(request)) throw fundingRefusals.insufficient_quota();
      if (this.session.nowMs() >= deadlineMs) throw fundingRefusals.balance_held();
      await new Promise((resolve) => setTimeout(resolve, this.settings.askAgainMs));
      if (!this.isPending(request)) throw fundingRefusals.balance_held();
      this.leases.forgetExhausted(request.organizationId);
      const late = await this.keepLate(request, this.holdEach(request));
      if (late) return late;
    }
  }

  /** As `keepLegs`, of holds that may wait; where one is refused, or the request is over, the others go back. */
  private async keepLate(request: FundingRequest, holds: readonly (Promise<Hold> | Hold)[]): Promise<Holding | null> {
    const outcomes = await Promise.allSettled(holds);
    const held = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    if (held.length === holds.length && this.isPending(request) && !this.session.isEnded()) return this.keepLegs(request, held);
    outcomes.forEach((outcome, of) => {
      if (outcome.status === 'fulfilled') this.giveBack(request, { unit: request.units[of]!.unit, hold: outcome.value });
    });
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    throw refused?.reason ?? (this.session.isEnded() ? fundsUnavailable() : fundingRefusals.balance_held());
  }

  private holdEach({ id, organizationId, model, units }: FundingRequest): (Promise<Hold> | Hold)[] {
    return units.map(({ unit, want }) => this.leases.hold({ organizationId, unit }, { id, model, want, least: 0n, remainder: true }));
  }

  /** Keeps the legs that pay and gives the rest back; null, and nothing is held, where no unit covers enough. */
  private keepLegs(request: FundingRequest, holds: readonly Hold[]): Holding | null {
    const chosen = chooseLegs(request.units, holds);
    const spare = chosen?.spare ?? holds.map((hold, of) => ({ unit: request.units[of]!.unit, hold }));
    for (const unit of spare) this.giveBack(request, unit);
    return chosen?.holding ?? null;
  }

  private giveBack({ organizationId }: FundingRequest, { unit, hold }: UnitHold): void {
    this.leases.release({ organizationId, unit }, hold, 0n);
  }

  /** Whether a unit has enough for the request if everything came back that is held or leased now. */
  private couldCover({ organizationId, units }: FundingRequest): boolean {
    return units.some(({ unit, least, covers }) => covers && (this.leases.balance({ organizationId, unit }) ?? 0n) >= least);
  }

  private isPending({ id, organizationId }: FundingRequest): boolean {
    return this.pending.get(organizationId)?.has(id) === true;
  }

  private startPending({ id, organizationId }: FundingRequest): void {
    const pending = this.pending.get(organizationId) ?? new Set();
    this.pending.set(organizationId, pending.add(id));
    this.tellOldest(organizationId);
  }

  private endPending({ id, organizationId }: FundingRequest): void {
    const pending = this.pending.get(organizationId);
    pending?.delete(id);
    if (pending?.size === 0) this.pending.delete(organizationId);
    this.tellOldest(organizationId);
  }

  /** Requests come in the order of their ids, so the first of the set is the oldest. */
  private tellOldest(organizationId: string): void {
    const [oldest = null] = this.pending.get(organizationId) ?? [];
    this.leases.setOldestPending(organizationId, oldest);
  }
}
