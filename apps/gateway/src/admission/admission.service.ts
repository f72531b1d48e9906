import { Injectable } from '@nestjs/common';
import type { FundingRequest, GateClosed, Holding, HoldingService, SessionService, SettlementService } from '@kilotoken/funding';
import type { Caller } from '../request/caller.js';
import type { Client } from '../request/client.js';
import type { LimitHold } from '../request/limit-hold.js';
import type { Plan } from '../request/plan.js';
import type { ReadRequest } from '../request/read-request.js';
import { Refusal } from '../request/refusal.js';
import { Admission } from './admission.js';
import type { CatalogueService } from './catalogue.service.js';
import type { IdempotencyService } from './idempotency.service.js';
import type { LaneKeys } from './lane-keys.js';
import type { LimitsService } from './limits.service.js';
import { planRequest } from './plan.js';

export interface AdmissionSettings {
  readonly RUNNING_REQUESTS_MAX: number;
  readonly MIN_OUTPUT_TOKENS: number;
}

/** A request that asks to be admitted. */
export interface Asking {
  readonly id: string;
  readonly caller: Caller;
  readonly endUser: string | null;
  readonly plan: Plan;
  readonly client: Client;
}

const settlementsFail = (closed: GateClosed): Refusal =>
  new Refusal('service_unavailable', 'Charges cannot be recorded at the moment, so no answer can be generated. Try again shortly.', null, { closed, retryAfter: '2' });

const clientLeft = (): Refusal => new Refusal('request_timeout', 'The client closed the connection.');

/** Admits requests: capacity, plan, claim, hold, limits. Whatever it throws, its caller undoes the admission. */
@Injectable()
export class AdmissionService {
  constructor(
    private readonly settings: AdmissionSettings,
    private readonly session: SessionService,
    private readonly holdings: HoldingService,
    private readonly settlement: SettlementService,
    private readonly catalogue: CatalogueService,
    private readonly laneKeys: LaneKeys,
    private readonly limits: LimitsService,
    private readonly idempotency: IdempotencyService,
    private readonly running: { readonly size: number },
  ) {}

  /** Also called before a body is parsed, so that refusing at capacity is cheap. */
  refuseWhenFull({ organizationId }: Caller): void {
    if (this.settlement.isFull() || this.running.size >= this.settings.RUNNING_REQUESTS_MAX) {
      throw new Refusal('service_unavailable', 'This gateway is at capacity. Try again shortly.');
    }
    const closed = this.settlement.whyClosed(organizationId);
    if (closed) throw settlementsFail(closed);
  }

  begin({ organizationId }: Caller): Admission {
    return new Admission(organizationId, null, this.holdings);
  }

  /** Rejects with a Refusal where the key belongs to another request. */
  async beginUnderKey(caller: Caller, key: string, bodyHash: Buffer): Promise<Admission> {
    return new Admission(caller.organizationId, await this.idempotency.claim(caller, key, bodyHash), this.holdings);
  }

  /** Lanes, price and worst case, in memory. Throws a Refusal. */
  plan(request: ReadRequest, caller: Caller, nowMs: number): Plan {
    const catalogue = this.catalogue.current();
    if (!catalogue) throw new Refusal('service_unavailable', 'Prices cannot be checked at the moment. Try again shortly.');
    this.refuseWhenFull(caller);
    const plan = planRequest(request, caller, catalogue, this.settings.MIN_OUTPUT_TOKENS, nowMs);
    const closed = this.settlement.admit(caller.organizationId);
    if (closed) throw settlementsFail(closed);
    const lanes = this.laneKeys.usable(plan.lanes, plan.model.id);
    return lanes === plan.lanes ? plan : { ...plan, lanes };
  }

  /** Holds the worst case and reserves under limits. Answers the hold at once when a local lease covers it and nothing else is asked. */
  admit(admission: Admission, asking: Asking): Holding | Promise<Holding> {
    if (asking.caller.limits !== null) return this.admitUnderLimits(admission, asking);
    return this.hold(admission, asking);
  }

  private hold(admission: Admission, asking: Asking): Holding | Promise<Holding> {
    const request = fundingOf(asking);
    const holding = this.holdings.hold(request);
    if (holding instanceof Promise || admission.claim !== null) return this.holdLater(admission, asking, request, holding);
    admission.holding = holding;
    return holding;
  }

  private async holdLater(admission: Admission, { client }: Asking, request: FundingRequest, held: Holding | Promise<Holding>): Promise<Holding> {
    const stop = client.onGone(() => this.holdings.cancel(request));
    try {
      const holding = await held;
      admission.holding = holding;
      await admission.claim?.bind(holding.id);
      if (client.isGone()) throw clientLeft();
      return holding;
    } finally {
      stop();
    }
  }

  private admitUnderLimits(admission: Admission, asking: Asking): Promise<Holding> {
    return asking.plan.units.length > 1 ? this.holdThenReserve(admission, asking) : this.holdAndReserve(admission, asking);
  }

  /** Reserves and holds, both begun in this turn of the loop: ids of requests that hold ascend. */
  private async holdAndReserve(admission: Admission, asking: Asking): Promise<Holding> {
    const reserving = this.reserve(admission, asking, null);
    // Async, so that a throw is a rejection and both parts are known before the admission is undone.
    const holding = (async () => this.hold(admission, asking))();
    // A request that a limit refuses does not go on waiting for money.
    if (reserving instanceof Promise) reserving.catch(() => this.holdings.cancel(fundingOf(asking)));
    const [limits, hold] = await Promise.allSettled([reserving, holding]);
    if (limits.status === 'rejected') throw limits.reason;
    if (hold.status === 'rejected') throw hold.reason;
    if (asking.client.isGone()) throw clientLeft();
    return hold.value;
  }

  /** Where several units may pay, the paying ones are known once they hold, and budgets count the legs of their own unit alone. */
  private async holdThenReserve(admission: Admission, asking: Asking): Promise<Holding> {
    const { id, caller, client } = asking;
    this.limits.expect(id, caller);
    try {
      const holding = await this.hold(admission, asking);
      await this.reserve(admission, asking, holding);
      if (client.isGone()) throw clientLeft();
      return holding;
    } finally {
      this.limits.forget(id, caller);
    }
  }

  /** Throws at once where a limit refuses at once. */
  private reserve(admission: Admission, { id, caller, endUser, plan, client }: Asking, holding: Holding | null): LimitHold | Promise<LimitHold> {
    const reserved = this.limits.reserve(id, caller, endUser, plan, holding, client);
    if (reserved instanceof Promise) return reserved.then((limits) => (admission.limits = limits));
    admission.limits = reserved;
    return reserved;
  }
}

const fundingOf = ({ id, caller, plan }: Asking): FundingRequest => ({ id, organizationId: caller.organizationId, model: plan.model.id, units: plan.units });
