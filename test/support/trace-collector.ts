import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A stand-in of an OpenTelemetry collector: keeps the spans that it is sent by OTLP over HTTP, in JSON. */
export interface CollectedSpan {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  name: string;
  /** By OTLP: 1 internal, 2 server, 3 client. */
  kind: number;
  startedNano: bigint;
  endedNano: bigint;
  /** Numbers as they came: OTLP writes integers as text or number. */
  attributes: Record<string, unknown>;
  events: string[];
  links: { traceId: string; spanId: string }[];
  failed: boolean;
}

export interface TraceCollector {
  /** Without a path, as `OTEL_EXPORTER_OTLP_ENDPOINT` is. */
  url: string;
  spans: CollectedSpan[];
  /** All that was ever sent, as text. */
  received(): string;
  spansOf(traceId: string): CollectedSpan[];
  close(): Promise<void>;
}

interface OtlpValue {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values: OtlpValue[] };
}
type OtlpAttributes = { key: string; value: OtlpValue }[];
interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: OtlpAttributes;
  events: { name: string }[];
  links: { traceId: string; spanId: string }[];
  status: { code?: number };
}
interface OtlpBody {
  resourceSpans: { resource: { attributes: OtlpAttributes }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const ERROR_STATUS = 2;

export async function startTraceCollector(): Promise<TraceCollector> {
  const spans: CollectedSpan[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const isTraces = request.method === 'POST' && request.url === '/v1/traces' && request.headers['content-type'] === 'application/json';
      if (isTraces) {
        bodies.push(body);
        spans.push(...readSpans(JSON.parse(body) as OtlpBody));
      }
      response.writeHead(isTraces ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    received: () => bodies.join('\n'),
    spansOf: (traceId) => spans.filter((span) => span.traceId === traceId),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function readSpans({ resourceSpans }: OtlpBody): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(readAttributes(resource.attributes)['service.name']);
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => readSpan(service, span)));
  });
}

function readSpan(service: string, span: OtlpSpan): CollectedSpan {
  return {
    service,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || null,
    name: span.name,
    kind: span.kind,
    startedNano: BigInt(span.startTimeUnixNano),
    endedNano: BigInt(span.endTimeUnixNano),
    attributes: readAttributes(span.attributes),
    events: span.events.map(({ name }) => name),
    links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
    failed: span.status.code === ERROR_STATUS,
  };
}

const readAttributes = (attributes: OtlpAttributes): Record<string, unknown> => Object.fromEntries(attributes.map(({ key, value }) => [key, readValue(value)]));

function readValue({ stringValue, intValue, doubleValue, boolValue, arrayValue }: OtlpValue): unknown {
  if (arrayValue) return arrayValue.values.map(readValue);
  return stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? doubleValue ?? boolValue;
}
