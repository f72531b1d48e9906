import { hostname } from 'node:os';
import { SpanKind, SpanStatusCode, TraceFlags, type HrTime, type SpanContext as OtelContext } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import { Counter, type Registry } from 'prom-client';
import type { SpanContext, SpanRecord, SpanSink } from './tracing.js';

/**
 * Sends spans to an OpenTelemetry collector (OTLP over HTTP, JSON), in batches from a bounded queue. This file is loaded only
 * where a collector is set.
 */
export interface SpanExportSettings {
  /** The collector's address without a path: `/v1/traces` is added, as OpenTelemetry says. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

export interface SpanExport {
  readonly sink: SpanSink;
  /** Sends what waits. */
  stop(): Promise<void>;
}

/** Spans that wait or are on their way: beyond it they are dropped and counted. */
const waitingSpansMax = 8_192;
const batchSpansMax = 512;
const batchDelayMs = 1_000;
const exportMsMax = 10_000;

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

const toHrTime = (epochMs: number): HrTime => {
  const seconds = Math.floor(epochMs / 1_000);
  return [seconds, Math.round((epochMs - seconds * 1_000) * 1e6)];
};

/** Every exported span counts as sampled, whether it was chosen before it began or after it failed. */
const toContext = ({ traceId, spanId }: SpanContext): OtelContext => ({ traceId, spanId, traceFlags: TraceFlags.SAMPLED });

export const openSpanExport = ({ endpoint, headers, serviceName }: SpanExportSettings, registry: Registry): SpanExport => {
  const spans = new Counter({ name: 'kilotoken_trace_spans_total', help: 'Spans by what became of them: exported, failed or dropped.', labelNames: ['result'], registers: [registry] });
  const resource = resourceFromAttributes({
    'service.name': serviceName,
    'service.namespace': 'kilotoken',
    'service.instance.id': `${hostname()}:${process.pid}`,
  });
  const scope = { name: 'kilotoken' };
  let waiting = 0;
  const exporter = countExports(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces`, headers: { ...headers }, timeoutMillis: exportMsMax }), (count, exported) => {
    waiting -= count;
    spans.inc({ result: exported ? 'exported' : 'failed' }, count);
  });
  const processor = new BatchSpanProcessor({ exporter, maxQueueSize: waitingSpansMax, maxExportBatchSize: batchSpansMax, scheduledDelayMillis: batchDelayMs, exportTimeoutMillis: exportMsMax });

  const toReadable = (span: SpanRecord): ReadableSpan => {
    const context = toContext(span);
    const { parentSpanId, startedMs, endedMs, errorType } = span;
    return {
      name: span.name,
      kind: kinds[span.kind],
      spanContext: () => context,
      ...(parentSpanId === null ? {} : { parentSpanContext: toContext({ traceId: span.traceId, spanId: parentSpanId }) }),
      startTime: toHrTime(startedMs),
      endTime: toHrTime(endedMs),
      duration: toHrTime(Math.max(0, endedMs - startedMs)),
      ended: true,
      status: { code: errorType === null ? SpanStatusCode.UNSET : SpanStatusCode.ERROR },
      attributes: { ...span.attributes, ...(errorType === null ? {} : { 'error.type': errorType }) } as ReadableSpan['attributes'],
      events: (span.events ?? []).map(({ name, atMs }) => ({ name, time: toHrTime(atMs) })),
      links: (span.links ?? []).map((link) => ({ context: toContext(link) })),
      resource,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  };
  return {
    sink: (span) => {
      if (waiting >= waitingSpansMax) return spans.inc({ result: 'dropped' });
      waiting += 1;
      processor.onEnd(toReadable(span));
    },
    // A collector that is away is no reason to fail: the counter has said so.
    stop: async () => processor.shutdown().catch(() => undefined),
  };
};

/** `ExportResultCode.SUCCESS` of @opentelemetry/core, which is nothing that we depend on for more. */
const successCode = 0;

const countExports = (exporter: SpanExporter, onExported: (count: number, exported: boolean) => void): SpanExporter => ({
  export: (spans, done) =>
    exporter.export(spans, (result) => {
      onExported(spans.length, Number(result.code) === successCode);
      done(result);
    }),
  shutdown: async () => exporter.shutdown(),
});
