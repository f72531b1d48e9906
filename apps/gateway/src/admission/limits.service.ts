import { Injectable } from '@nestjs/common';
import type { Holding } from '@kilotoken/funding';
import { usedOf, type Counter, type Decision, type QuotaService, type Reservation } from '@kilotoken/quota';
import type { Caller } from '../request/caller.js';
import type { Client } from '../request/client.js';
import type { LimitHold } from '../request/limit-hold.js';
import type { Plan } from '../request/plan.js';
import { Refusal } from '../request/refusal.js';
import { needsOf, outputTokensUnder, rateLimitHeaders, refusalFor, warningOf } from './limits.js';

const unavailable = (): Refusal => new Refusal('service_unavailable', 'Your limits cannot be checked at the moment. Try again shortly.');

/** Puts requests under the limits of their organization, project, key and end user. */
@Injectable()
export class LimitsService {
  constructor(
    private readonly quota: QuotaService,
    private readonly session: { nowMs(): number },
  ) {}

  /** At once where this gateway's slices cover it. Throws or rejects with a Refusal; then nothing is reserved. */
  reserve(requestId: string, caller: Caller, endUser: string | null, plan: Plan, holding: Holding | null, client: Client): LimitHold | Promise<LimitHold> {
    const { organizationId, limits } = caller;
    const decision = this.quota.reserve(organizationId, requestId, needsOf(limits ?? [], endUser, plan, holding));
    if (!(decision instanceof Promise)) return this.accept(organizationId, decision, plan);
    const stop = client.onGone(() => this.quota.cancel(organizationId, requestId));
    return decision.then((late) => this.accept(organizationId, late, plan)).finally(stop);
  }

  /** A request that reserves once it is funded may come later than younger ones: slices that are taken until `forget` know of it. */
  expect(requestId: string, { organizationId }: Caller): void {
    this.quota.expect(organizationId, requestId);
  }

  /** It has reserved, or will not. */
  forget(requestId: string, { organizationId }: Caller): void {
    this.quota.forget(organizationId, requestId);
  }

  private accept(organizationId: string, decision: Decision, plan: Plan): LimitHold {
    if (decision.kind === 'unavailable') throw unavailable();
    if (decision.kind === 'refused') throw refusalFor(decision.refusal, this.session.nowMs());
    const { reservation } = decision;
    return {
      atMs: reservation.atMs,
      outputTokens: outputTokensUnder(reservation, plan),
      headers: () => this.headers(reservation, reservation.counters),
      end: (charge) => this.quota.end(organizationId, reservation, usedOf(charge)),
      giveBack: () => this.quota.end(organizationId, reservation, null),
    };
  }

  private headers({ warnings }: Reservation, counters: readonly Counter[]): Record<string, string> {
    const headers = rateLimitHeaders(counters, this.session.nowMs());
    if (warnings.length > 0) headers['x-kilotoken-limit-warning'] = warningOf(warnings);
    return headers;
  }
}
