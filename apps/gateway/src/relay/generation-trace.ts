import { completionTokens, promptTokens } from '@kilotoken/contracts';
import type { RequestParams } from '@kilotoken/openai';
import { flushSpanContext, traceIdHeader, type ChildSpan, type RequestDescription, type RequestTrace, type SpanAttributes } from '@kilotoken/platform';
import type { Attempt, Ending, Generation, GenerationMarks } from './generation.js';

/**
 * The generation's spans in a request's trace, by OpenTelemetry's conventions for generative AI
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/). They are built only for an exported trace; until then a few
 * times are kept. They never contain a prompt or an answer.
 */
/** Numbers of a request's spans; those of its attempts begin at 1. */
const spanNumbers = { attempts: 1, leaseWait: 0x80, settle: 0x81 } as const;

const attemptSpanNumber = (index: number): number => spanNumbers.attempts + index;

export class GenerationTrace implements GenerationMarks {
  private readonly heldMs: number;
  /** From database time, in which attempts are stamped, to this trace's; exact to a millisecond. */
  private readonly fromDatabaseMs: number;
  private settlingMs: number | null = null;
  private settledMs: number | null = null;
  private flush: bigint | null = null;
  private ending: Ending | null = null;

  /** `plannedMs`: since when the request waited for its hold, which a lease may have covered at once. */
  constructor(
    readonly request: RequestTrace,
    private readonly sessionId: string,
    databaseNowMs: number,
    private readonly plannedMs: number,
  ) {
    this.heldMs = request.nowMs();
    this.fromDatabaseMs = this.heldMs - databaseNowMs;
  }

  settling(ending: Ending): void {
    this.settlingMs = this.request.nowMs();
    this.ending = ending;
  }

  settled(flush: bigint): void {
    this.settledMs = this.request.nowMs();
    this.flush = flush;
  }

  describe(generation: Generation, asked: RequestParams): RequestDescription {
    const children = generation.attempts.map((attempt, index) => this.attemptSpan(generation, asked, attempt, index));
    children.unshift({ number: spanNumbers.leaseWait, name: 'lease.wait', kind: 'internal', startedMs: this.plannedMs, endedMs: this.heldMs, attributes: {}, errorType: null });
    if (this.settlingMs !== null) children.push(this.settleSpan(this.settlingMs));
    const attributes: SpanAttributes = {
      'gen_ai.operation.name': operationOf(generation),
      'gen_ai.request.model': generation.plan.model.id,
      'kilotoken.stream': generation.stream,
      'kilotoken.attempts': generation.attempts.length,
    };
    if (this.ending) Object.assign(attributes, usageOf(this.ending), { 'kilotoken.outcome': this.ending.outcome });
    return { attributes, children };
  }

  private attemptSpan(generation: Generation, asked: RequestParams, attempt: Attempt, index: number): ChildSpan {
    const { lane } = attempt;
    const isLast = index === generation.attempts.length - 1;
    const { hostname, port, protocol } = new URL(lane.baseUrl);
    const attributes: SpanAttributes = {
      'gen_ai.operation.name': operationOf(generation),
      'gen_ai.provider.name': lane.kind === 'worker' ? 'kilotoken' : hostname,
      'gen_ai.request.model': lane.upstreamModel,
      'gen_ai.request.max_tokens': generation.maxTokens,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      'kilotoken.lane.id': lane.id,
      ...samplingOf(asked),
    };
    if (attempt.upstreamStatus !== null) attributes['http.response.status_code'] = attempt.upstreamStatus;
    if (attempt.upstreamId !== null) attributes['gen_ai.response.id'] = attempt.upstreamId;
    if (isLast && this.ending) Object.assign(attributes, usageOf(this.ending));
    const startedMs = Math.max(this.heldMs, this.toTraceTime(attempt.startedMs));
    const endedMs = attempt.endedMs === null ? (this.settlingMs ?? this.request.nowMs()) : this.toTraceTime(attempt.endedMs);
    return {
      number: attemptSpanNumber(index),
      name: `${operationOf(generation)} ${lane.upstreamModel}`,
      kind: 'client',
      startedMs,
      endedMs: Math.max(startedMs, endedMs),
      attributes,
      errorType: attempt.errorCode,
      events: attempt.firstTokenMs === null ? [] : [{ name: 'first_token', atMs: Math.max(startedMs, this.toTraceTime(attempt.firstTokenMs)) }],
    };
  }

  /** From the end of the answer to its commit, with a link to the flush that carried it. */
  private settleSpan(settlingMs: number): ChildSpan {
    const isSettled = this.settledMs !== null && this.flush !== null;
    return {
      number: spanNumbers.settle,
      name: 'settle',
      kind: 'internal',
      startedMs: settlingMs,
      endedMs: this.settledMs ?? this.request.nowMs(),
      attributes: {},
      errorType: isSettled ? null : 'settlement_failed',
      links: isSettled ? [flushSpanContext(this.sessionId, this.flush!)] : [],
    };
  }

  private toTraceTime(databaseMs: number): number {
    return databaseMs + this.fromDatabaseMs;
  }
}

const operationOf = ({ operation }: Generation): string => (operation === 'completions' ? 'text_completion' : 'chat');

const samplingOf = ({ temperature, top_p: topP, seed, n, frequency_penalty: frequency, presence_penalty: presence }: RequestParams): SpanAttributes => {
  const asked = {
    'gen_ai.request.temperature': temperature,
    'gen_ai.request.top_p': topP,
    'gen_ai.request.seed': seed,
    'gen_ai.request.choice.count': n === 1 ? undefined : n,
    'gen_ai.request.frequency_penalty': frequency,
    'gen_ai.request.presence_penalty': presence,
  };
  return Object.fromEntries(Object.entries(asked).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
};

const usageOf = ({ charge, finishReason }: Ending): SpanAttributes => ({
  'gen_ai.usage.input_tokens': promptTokens(charge.counts),
  'gen_ai.usage.output_tokens': completionTokens(charge.counts),
  ...(charge.counts.cached_read === undefined ? {} : { 'gen_ai.usage.cache_read.input_tokens': charge.counts.cached_read }),
  ...(finishReason === null ? {} : { 'gen_ai.response.finish_reasons': [finishReason] }),
});

/** The `traceparent` for the lane of the latest attempt; null without tracing. */
export const traceparentOf = ({ trace, attempts }: Generation): string | null => (trace === null ? null : trace.request.traceparentOf(attemptSpanNumber(attempts.length - 1)));

const noHeader: Readonly<Record<string, string>> = {};

/** Nothing where the trace cannot be looked up. */
export const traceHeader = ({ trace }: Generation): Readonly<Record<string, string>> =>
  trace?.request.sampled === true ? { [traceIdHeader]: trace.request.traceId } : noHeader;
