import { Injectable } from '@nestjs/common';
import type { UpstreamOptions } from '@kilotoken/openai';
import type { FundingRequest, GateClosed, Holding, HoldingService, SessionService, SettlementService } from '@kilotoken/funding';
import type { Lane } from '@kilotoken/marketplace';
import type { CatalogueService } from '../admission/catalogue.service.js';
import type { Claim } from '../admission/idempotency.service.js';
import type { LaneKeys } from '../admission/lane-keys.js';
import type { LimitsService } from '../admission/limits.service.js';
import { outputTokensOn, planRequest } from '../admission/plan.js';
import type { GatewaySettings } from '../config.js';
import type { Failpoint } from '../failpoint.js';
import { storableTextOrNull, textLengths } from '../relay/diagnostics.js';
import { GenerationTrace } from '../relay/generation-trace.js';
import { heldTerms, type Generation } from '../relay/generation.js';
import { answerJson } from '../relay/json.relay.js';
import type { RelayContext } from '../relay/relay-context.js';
import type { RunningRequests } from '../relay/running.service.js';
import { answerStream } from '../relay/stream.relay.js';
import type { Caller } from '../request/caller.js';
import type { Client } from '../request/client.js';
import type { LimitHold } from '../request/limit-hold.js';
import type { Operation } from '../request/operation.js';
import type { Plan } from '../request/plan.js';
import type { ReadRequest } from '../request/read-request.js';
import { Refusal } from '../request/refusal.js';

/** The part of its organization's grants and limits that a request holds. */
interface Held {
  readonly holding: Holding;
  readonly limits: LimitHold | null;
}

const settlementsFail = (closed: GateClosed): Refusal =>
  new Refusal('service_unavailable', 'Charges cannot be recorded at the moment, so nothing is generated. Try again shortly.', null, { closed, retryAfter: '2' });

/** Admission, then the relay. Everything before the hold is memory alone; everything after it ends in a settlement. */
@Injectable()
export class CompletionsService {
  /** Requests between the end of their bodies and the end of their answers. */
  answering = 0;

  constructor(
    private readonly settings: GatewaySettings,
    private readonly session: SessionService,
    private readonly holdings: HoldingService,
    private readonly settlement: SettlementService,
    private readonly catalogue: CatalogueService,
    private readonly laneKeys: LaneKeys,
    private readonly running: RunningRequests,
    private readonly limits: LimitsService,
    private readonly relay: Omit<RelayContext, 'generation' | 'request' | 'client' | 'body'>,
    private readonly failpoint: Failpoint,
  ) {}

  /** Answers one request; throws a Refusal while the client can still be told by a status, and has then given back its claim. */
  async answer(id: string, caller: Caller, operation: Operation, request: ReadRequest, client: Client, claim: Claim | null): Promise<void> {
    this.answering += 1;
    try {
      await this.serve(id, caller, operation, request, client, claim);
    } catch (error) {
      await claim?.release();
      throw error;
    } finally {
      this.answering -= 1;
    }
  }

  /** Also called before a body is parsed, so that refusing at capacity is cheap. */
  refuseWhenFull({ organizationId }: Caller): void {
    if (this.settlement.isFull() || this.running.size >= this.settings.RUNNING_REQUESTS_MAX) {
      throw new Refusal('service_unavailable', 'This gateway is at its capacity. Try again shortly.');
    }
    const closed = this.settlement.whyClosed(organizationId);
    if (closed) throw settlementsFail(closed);
  }

  private async serve(id: string, caller: Caller, operation: Operation, request: ReadRequest, client: Client, claim: Claim | null): Promise<void> {
    const { params } = request;
    const nowMs = this.session.nowMs();
    const plan = this.plan(request, caller, nowMs);
    const plannedMs = client.trace?.nowMs() ?? 0;
    const endUser = storableTextOrNull(params.user ?? params.safety_identifier ?? null, textLengths.endUser);
    const held = caller.limits === null ? this.hold(id, caller, plan, client, claim) : this.holdUnderLimits(id, caller, endUser, plan, client, claim);
    // Where the money is here, as it nearly always is, nothing is waited for.
    const { holding, limits: limitHold } = held instanceof Promise ? await held : held;
    const trace = client.trace && new GenerationTrace(client.trace, this.session.id, this.session.nowMs(), plannedMs);
    const generation: Generation = {
      id,
      caller,
      operation,
      stream: params.stream === true,
      tierAsked: params.service_tier ?? 'auto',
      endUser,
      tags: params.metadata && Object.keys(params.metadata).length > 0 ? params.metadata : null,
      plan,
      holding,
      held: heldTerms(plan, holding),
      limits: limitHold,
      maxTokens: Math.min(outputTokensOn(plan, holding), limitHold?.outputTokens ?? Infinity),
      admittedMs: limitHold?.atMs ?? nowMs,
      clockOffsetMs: this.session.clockOffsetMs(),
      attempts: [],
      opened: false,
      slot: null,
      trace,
    };
    if (trace) trace.request.describe = () => trace.describe(generation, params);
    this.failpoint('after_hold');
    const { lanes, ending, running, session, meter, metrics, notices, limits, deadlines, failpoint, nowMs: now } = this.relay;
    // Written out: an object that is spread and then added to is slow to make and slow to read ever after.
    const context: RelayContext = { generation, request, client, body: (lane) => request.body(upstreamOptions(lane, generation)), lanes, ending, running, session, meter, metrics, notices, limits, deadlines, failpoint, nowMs: now };
    claim?.dispatching();
    try {
      await (generation.stream ? answerStream(context) : answerJson(context));
    } catch (error) {
      // Whatever broke before a settlement began has charged nothing: the hold must not outlive its request.
      if (this.running.find(generation)?.ending === false) {
        this.relay.ending.abandon(generation, this.session.nowMs());
        if (!generation.opened) claim?.nothingBilled();
      }
      throw error;
    }
  }

  private plan(request: ReadRequest, caller: Caller, nowMs: number): Plan {
    const catalogue = this.catalogue.current();
    if (!catalogue) throw new Refusal('service_unavailable', 'Prices cannot be checked at the moment. Try again shortly.');
    this.refuseWhenFull(caller);
    const plan = planRequest(request, caller, catalogue, this.settings.MIN_OUTPUT_TOKENS, nowMs);
    const closed = this.settlement.admit(caller.organizationId);
    if (closed) throw settlementsFail(closed);
    const lanes = this.laneKeys.usable(plan.lanes, plan.model.id);
    return lanes === plan.lanes ? plan : { ...plan, lanes };
  }

  private hold(id: string, caller: Caller, plan: Plan, client: Client, claim: Claim | null): Held | Promise<Held> {
    const request = { id, organizationId: caller.organizationId, model: plan.model.id, units: plan.units };
    const holding = this.holdings.hold(request);
    if (!(holding instanceof Promise) && claim === null) return { holding, limits: null };
    return this.holdLater(request, holding, client, claim);
  }

  private async holdLater(request: FundingRequest, held: Holding | Promise<Holding>, client: Client, claim: Claim | null): Promise<Held> {
    const stop = client.onGone(() => this.holdings.cancel(request));
    try {
      const holding = await held;
      await this.confirm(holding, client, claim).catch((error: unknown) => {
        this.holdings.release(request.organizationId, holding);
        throw error;
      });
      return { holding, limits: null };
    } finally {
      stop();
    }
  }

  private holdUnderLimits(id: string, caller: Caller, endUser: string | null, plan: Plan, client: Client, claim: Claim | null): Promise<Held> {
    return plan.units.length > 1 ? this.holdThenReserve(id, caller, endUser, plan, client, claim) : this.holdAndReserve(id, caller, endUser, plan, client, claim);
  }

  /**
   * Reserves under the limits and holds the money, both begun in this turn of the loop: ids of requests that hold ascend.
   * Whichever is refused, the other is given back.
   */
  private async holdAndReserve(id: string, caller: Caller, endUser: string | null, plan: Plan, client: Client, claim: Claim | null): Promise<Held> {
    const { organizationId } = caller;
    const reserving = this.limits.reserve(id, caller, endUser, plan, null, client);
    // Async, so that whatever it throws is a rejection, and what was reserved is given back.
    const holding = (async () => this.hold(id, caller, plan, client, claim))();
    // Who is refused by a limit does not go on waiting for money.
    if (reserving instanceof Promise) reserving.catch(() => this.holdings.cancel({ id, organizationId, model: plan.model.id, units: plan.units }));
    const [limits, hold] = await Promise.allSettled([reserving, holding]);
    if (limits.status === 'fulfilled' && hold.status === 'fulfilled' && !client.isGone()) return { limits: limits.value, holding: hold.value.holding };
    if (limits.status === 'fulfilled') limits.value.giveBack();
    if (hold.status === 'fulfilled') this.holdings.release(organizationId, hold.value.holding);
    if (limits.status === 'rejected') throw limits.reason;
    if (hold.status === 'rejected') throw hold.reason;
    throw new Refusal('request_timeout', 'The client closed the connection.');
  }

  /** Where several units may pay, which of them do is known once they hold, and budgets count the legs of their own unit alone. */
  private async holdThenReserve(id: string, caller: Caller, endUser: string | null, plan: Plan, client: Client, claim: Claim | null): Promise<Held> {
    this.limits.expect(id, caller);
    try {
      const { holding } = await this.hold(id, caller, plan, client, claim);
      try {
        const limits = await this.limits.reserve(id, caller, endUser, plan, holding, client);
        if (!client.isGone()) return { holding, limits };
        limits.giveBack();
        throw new Refusal('request_timeout', 'The client closed the connection.');
      } catch (error) {
        this.holdings.release(caller.organizationId, holding);
        throw error;
      }
    } finally {
      this.limits.forget(id, caller);
    }
  }

  /** What was waited for may have come too late. */
  private async confirm(holding: Holding, client: Client, claim: Claim | null): Promise<void> {
    await claim?.bind(holding.id);
    if (client.isGone()) throw new Refusal('request_timeout', 'The client closed the connection.');
  }
}

const upstreamOptions = (lane: Lane, generation: Generation): UpstreamOptions => ({
  model: lane.upstreamModel,
  maxTokens: generation.maxTokens,
  maxTokensParam: lane.capabilities.has('max_completion_tokens') ? 'max_completion_tokens' : 'max_tokens',
  stream: generation.stream,
  continuousUsage: lane.kind === 'worker' || lane.capabilities.has('continuous_usage'),
  capabilities: lane.capabilities,
});
