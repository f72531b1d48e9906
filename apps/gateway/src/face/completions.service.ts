import { Injectable } from '@nestjs/common';
import type { UpstreamOptions } from '@kilotoken/openai';
import type { SessionService } from '@kilotoken/funding';
import type { Lane } from '@kilotoken/marketplace';
import type { Admission } from '../admission/admission.js';
import type { AdmissionService } from '../admission/admission.service.js';
import { outputTokensOn } from '../admission/plan.js';
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
import type { Operation } from '../request/operation.js';
import type { ReadRequest } from '../request/read-request.js';

/** Admission, then the relay. Everything before the hold is memory alone; everything after it ends in a settlement. */
@Injectable()
export class CompletionsService {
  /** Requests between the end of their bodies and the end of their answers. */
  answering = 0;

  constructor(
    private readonly session: SessionService,
    private readonly admissions: AdmissionService,
    private readonly running: RunningRequests,
    private readonly relay: Omit<RelayContext, 'generation' | 'request' | 'client' | 'body'>,
    private readonly failpoint: Failpoint,
  ) {}

  /** Answers one request; throws a Refusal while the client can still be told by a status, and has then undone its admission. */
  async answer(id: string, caller: Caller, operation: Operation, request: ReadRequest, client: Client, admission: Admission): Promise<void> {
    this.answering += 1;
    try {
      await this.serve(id, caller, operation, request, client, admission);
    } catch (error) {
      await admission.undo();
      throw error;
    } finally {
      this.answering -= 1;
    }
  }

  private async serve(id: string, caller: Caller, operation: Operation, request: ReadRequest, client: Client, admission: Admission): Promise<void> {
    const { params } = request;
    const nowMs = this.session.nowMs();
    const plan = this.admissions.plan(request, caller, nowMs);
    const plannedMs = client.trace?.nowMs() ?? 0;
    const endUser = storableTextOrNull(params.user ?? params.safety_identifier ?? null, textLengths.endUser);
    const admitted = this.admissions.admit(admission, { id, caller, endUser, plan, client });
    // A local lease nearly always covers the hold: then nothing is awaited.
    const holding = admitted instanceof Promise ? await admitted : admitted;
    const limitHold = admission.limits;
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
    admission.handOver(() => this.abandon(generation));
    await (generation.stream ? answerStream(context) : answerJson(context));
  }

  /** Ends a request that broke before its settlement began, since its hold must not outlive it. Answers whether nothing of it can be billed. */
  private abandon(generation: Generation): boolean {
    if (this.running.find(generation)?.ending !== false) return false;
    this.relay.ending.abandon(generation, this.session.nowMs());
    return !generation.opened;
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
