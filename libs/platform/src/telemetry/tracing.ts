import { createHash, randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';

/**
 * Traces by hand. A request keeps a light record while it runs: its ids and a few times. Spans are made from it when it
 * has ended, and only if it was chosen beforehand or has failed, so that the others cost next to nothing and no failure is
 * missed. Ids are W3C Trace Context's (https://www.w3.org/TR/trace-context/). Attributes never hold a prompt, a completion or a key.
 */
export type AttributeValue = string | number | boolean | readonly string[];
export type SpanAttributes = Record<string, AttributeValue>;
export type SpanKind = 'server' | 'client' | 'internal';

export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
}

export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
}

/** A span that has ended. Times are milliseconds since 1970, with fractions. */
export interface SpanRecord extends SpanContext {
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly attributes: SpanAttributes;
  /** Why it failed, by a code; null where it did not. */
  readonly errorType: string | null;
  readonly events?: readonly SpanEvent[];
  readonly links?: readonly SpanContext[];
}

export type SpanSink = (span: SpanRecord) => void;

/** A child of a request's span, without what all children share. `number` is from 1 to 255 and unique in its request. */
export type ChildSpan = Omit<SpanRecord, 'traceId' | 'spanId' | 'parentSpanId'> & { readonly number: number };

/** The special attributes of a request's span, and the spans below it. */
export interface RequestDescription {
  readonly attributes: SpanAttributes;
  readonly children: readonly ChildSpan[];
}

export interface RequestEnding {
  readonly name: string;
  readonly attributes: SpanAttributes;
  readonly errorType: string | null;
}

const version00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** A later version of the format appends its fields after another dash. */
const laterVersion = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const zeros = /^0+$/;
const sampledFlag = 1;

/** Null for what is no traceparent: the trace then begins here, as the standard says. */
export const parseTraceparent = (header: string | undefined): (SpanContext & { readonly sampled: boolean }) | null => {
  const match = header === undefined ? null : (version00.exec(header) ?? laterVersion.exec(header));
  if (!match) return null;
  const [, traceId, spanId, flags] = match;
  if (zeros.test(traceId!) || zeros.test(spanId!)) return null;
  return { traceId: traceId!, spanId: spanId!, sampled: (parseInt(flags!, 16) & sampledFlag) !== 0 };
};

const hexDigits = (uuid: string): string => uuid.slice(0, 8) + uuid.slice(9, 13) + uuid.slice(14, 18) + uuid.slice(19, 23) + uuid.slice(24);

/** The record of one request. */
export class RequestTrace implements SpanContext {
  /** Moments that the request's span shows as events, in their order. */
  readonly events: SpanEvent[] = [];
  /** Asked once, and only if the trace is exported. */
  describe: (() => RequestDescription) | null = null;
  private readonly startedMonotonicMs: number;

  constructor(
    readonly traceId: string,
    /** A span's id but for its last two digits, which number the spans of this request: 00 is its own. */
    private readonly spanPrefix: string,
    readonly parentSpanId: string | null,
    readonly sampled: boolean,
    private readonly clock: Clock,
  ) {
    this.startedMs = clock.nowMs();
    this.startedMonotonicMs = clock.monotonicMs();
  }

  readonly startedMs: number;

  get spanId(): string {
    return this.spanIdOf(0);
  }

  spanIdOf(number: number): string {
    return this.spanPrefix + (number < 16 ? '0' : '') + number.toString(16);
  }

  /** Says whoever is asked on behalf of one of this request's spans which one it is. */
  traceparentOf(number: number): string {
    return `00-${this.traceId}-${this.spanIdOf(number)}-${this.sampled ? '01' : '00'}`;
  }

  nowMs(): number {
    return this.startedMs + this.clock.monotonicMs() - this.startedMonotonicMs;
  }

  event(name: string): void {
    this.events.push({ name, atMs: this.nowMs() });
  }
}

export interface TracingOptions {
  /** The share of requests whose traces are exported whatever becomes of them. */
  readonly sampleRatio: number;
  /** Callers are our own processes: what they chose to export is exported here too. A stranger's choice would be a way to flood us. */
  readonly trustsCallers: boolean;
  readonly clock: Clock;
  readonly sink: SpanSink;
}

/** Begins and ends the traces of a process. There is none where no collector is set: everybody asks for that first. */
export class Tracing {
  constructor(private readonly options: TracingOptions) {}

  begin(traceparent: string | undefined): RequestTrace {
    const { trustsCallers, clock } = this.options;
    const parent = traceparent === undefined ? null : parseTraceparent(traceparent);
    const sampled = parent !== null && trustsCallers ? parent.sampled : this.isChosen();
    const spanPrefix = hexDigits(randomUUID()).slice(-14);
    return new RequestTrace(parent?.traceId ?? hexDigits(randomUUID()), spanPrefix, parent?.spanId ?? null, sampled, clock);
  }

  /** Exports the request's spans where it was chosen or failed. */
  end(trace: RequestTrace, ending: RequestEnding): void {
    if (!trace.sampled && ending.errorType === null) return;
    const { sink } = this.options;
    const { traceId, spanId, parentSpanId, startedMs, events } = trace;
    const { attributes, children } = trace.describe?.() ?? { attributes: {}, children: [] };
    sink({
      traceId,
      spanId,
      parentSpanId,
      name: ending.name,
      kind: 'server',
      startedMs,
      endedMs: trace.nowMs(),
      attributes: { ...ending.attributes, ...attributes },
      errorType: ending.errorType,
      events,
    });
    for (const { number, ...child } of children) sink({ ...child, traceId, spanId: trace.spanIdOf(number), parentSpanId: spanId });
  }

  /** Exports work that serves many requests and has a trace of its own. */
  export(span: SpanRecord): void {
    this.options.sink(span);
  }

  /** Decides for work that no request began. */
  isChosen(): boolean {
    return Math.random() < this.options.sampleRatio;
  }

  newContext(): SpanContext {
    return { traceId: hexDigits(randomUUID()), spanId: hexDigits(randomUUID()).slice(-16) };
  }
}

/**
 * The span of a gateway's flush. Its ids follow from what identifies the flush, so that requests can name the flush that
 * settled them and the rater the flushes that it rates, without a word about traces in the database.
 */
export const flushSpanContext = (sessionId: string, flush: bigint): SpanContext => {
  const digest = createHash('sha256').update(`kilotoken flush ${sessionId} ${flush}`).digest('hex');
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
};
