import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../clock.js';
import { flushSpanContext, parseTraceparent, Tracing, type SpanRecord } from './tracing.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

/** A clock whose wall time stands still while its monotonic time is set by hand: as when NTP holds a clock back. */
const clockAt = (moment: { nowMs: number; monotonicMs: number }): Clock => ({ nowMs: () => moment.nowMs, monotonicMs: () => moment.monotonicMs });

const setUp = (options: { sampleRatio: number; trustsCallers?: boolean }) => {
  const spans: SpanRecord[] = [];
  const moment = { nowMs: 1_000_000, monotonicMs: 50 };
  const tracing = new Tracing({ trustsCallers: false, ...options, clock: clockAt(moment), sink: (span) => spans.push(span) });
  return { spans, moment, tracing };
};

const succeeded = { name: 'POST /v1/completions', attributes: { 'http.response.status_code': 200 }, errorType: null };
const failed = { ...succeeded, errorType: 'upstream_error' };

describe('parseTraceparent', () => {
  it.each([
    [`00-${traceId}-${spanId}-01`, true],
    [`00-${traceId}-${spanId}-00`, false],
    // Other flags may be set, and a later version may add to what it says (Trace Context §3.2.2.5 and §4.3).
    [`00-${traceId}-${spanId}-03`, true],
    [`cc-${traceId}-${spanId}-01-what-comes-later`, true],
  ])('%s is taken', (header, sampled) => {
    expect(parseTraceparent(header)).toEqual({ traceId, spanId, sampled });
  });

  it.each([
    undefined,
    '',
    'null',
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01\r\nx: y`,
  ])('%p is none, and the trace begins here', (header) => {
    expect(parseTraceparent(header)).toBeNull();
  });
});

describe('a trace', () => {
  it("continues the caller's, under a span id of its own", () => {
    const { tracing, spans } = setUp({ sampleRatio: 1 });
    tracing.end(tracing.begin(`00-${traceId}-${spanId}-00`), succeeded);
    expect(spans).toEqual([expect.objectContaining({ traceId, parentSpanId: spanId, kind: 'server', name: 'POST /v1/completions' })]);
    expect(spans[0]!.spanId).toMatch(/^[0-9a-f]{14}00$/);
    expect(spans[0]!.spanId).not.toBe(spanId);
  });

  it('of a stranger is exported when we chose it, of our own processes when they did', () => {
    const begin = (trustsCallers: boolean, sampleRatio: number, flags: string) => setUp({ sampleRatio, trustsCallers }).tracing.begin(`00-${traceId}-${spanId}-${flags}`).sampled;
    expect([begin(false, 0, '01'), begin(false, 1, '00')]).toEqual([false, true]);
    expect([begin(true, 0, '01'), begin(true, 1, '00')]).toEqual([true, false]);
  });

  it('that was not chosen is exported when it failed, with all that it noted, and else never', () => {
    const { tracing, spans } = setUp({ sampleRatio: 0 });
    tracing.end(tracing.begin(undefined), succeeded);
    expect(spans).toEqual([]);
    const trace = tracing.begin(undefined);
    trace.event('authenticated');
    trace.describe = () => ({ attributes: { 'gen_ai.request.model': 'small' }, children: [{ number: 1, name: 'chat small', kind: 'client', startedMs: 1, endedMs: 2, attributes: {}, errorType: 'upstream_error' }] });
    tracing.end(trace, failed);
    expect(spans).toMatchObject([
      { errorType: 'upstream_error', attributes: { 'gen_ai.request.model': 'small', 'http.response.status_code': 200 }, events: [{ name: 'authenticated' }] },
      { name: 'chat small', traceId: trace.traceId, parentSpanId: trace.spanId, spanId: trace.spanIdOf(1) },
    ]);
  });

  it('asks for no description of what is not exported', () => {
    const { tracing } = setUp({ sampleRatio: 0 });
    const trace = tracing.begin(undefined);
    trace.describe = () => {
      throw new Error('asked');
    };
    expect(() => tracing.end(trace, succeeded)).not.toThrow();
  });

  it('measures by the monotonic clock from the moment that it began', () => {
    const { tracing, spans, moment } = setUp({ sampleRatio: 1 });
    const trace = tracing.begin(undefined);
    moment.monotonicMs += 12.5;
    trace.event('held');
    moment.monotonicMs += 2;
    tracing.end(trace, succeeded);
    expect(spans[0]).toMatchObject({ startedMs: 1_000_000, endedMs: 1_000_014.5, events: [{ name: 'held', atMs: 1_000_012.5 }] });
  });

  it('tells whom it asks which span it is asked for, and whether that is exported', () => {
    const trace = setUp({ sampleRatio: 1 }).tracing.begin(`00-${traceId}-${spanId}-00`);
    expect(parseTraceparent(trace.traceparentOf(17))).toEqual({ traceId, spanId: trace.spanIdOf(17), sampled: true });
    const ids = Array.from({ length: 256 }, (_, number) => trace.spanIdOf(number));
    expect(new Set(ids).size).toBe(256);
    expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true);
  });
});

describe('the span of a flush', () => {
  it('is known from the flush alone', () => {
    const context = flushSpanContext('0193-session', 7n);
    expect(context).toEqual(flushSpanContext('0193-session', 7n));
    expect(context).not.toEqual(flushSpanContext('0193-session', 8n));
    expect([context.traceId.length, context.spanId.length]).toEqual([32, 16]);
  });
});
