import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findFreePort } from '@kilotoken/tools/free-port';
import { startCluster, type Cluster } from '../support/cluster.js';
import { AppProcess } from '../support/cluster-process.js';
import { startTraceCollector, type CollectedSpan, type TraceCollector } from '../support/trace-collector.js';
import { until } from '../support/until.js';

/** One trace over the real processes, at a stand-in of a collector. The first gateway exports every request, the second none but failures. */

const SERVER = 2;
const CLIENT = 3;
const PROMPT = 'xylophone-prompt-that-no-collector-may-see';
const CLIENT_SPAN = 'b7ad6b7169203331';

let collector: TraceCollector;
let cluster: Cluster;
let worker: AppProcess;
let vendor: Server;
let vendorSaw: IncomingHttpHeaders[];

beforeAll(async () => {
  collector = await startTraceCollector();
  vendorSaw = [];
  vendor = createServer((request, response) => {
    vendorSaw.push(request.headers);
    request.resume().once('end', () => response.writeHead(500).end('{}'));
  });
  await new Promise<void>((resolve) => vendor.listen(0, '127.0.0.1', resolve));
  const workerPort = await findFreePort();
  const models = [
    { model: 'own', lanes: [{ baseUrl: `http://127.0.0.1:${workerPort}/v1`, upstreamModel: 'loopback' }] },
    { model: 'broken', lanes: [{ baseUrl: `http://127.0.0.1:${(vendor.address() as AddressInfo).port}/v1` }] },
  ];
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  cluster = await startCluster({ gateways: 2, models, grants: ['10'], env, gatewayEnv: [{ TRACE_SAMPLE_RATIO: '1' }, { TRACE_SAMPLE_RATIO: '0' }] });
  worker = new AppProcess({ app: 'inference-worker', name: `worker-${workerPort}`, port: workerPort, env: { ...env, HOST: '127.0.0.1', INTERNAL_TOKEN: cluster.internalToken, WORKER_PORT: String(workerPort) } });
  await worker.start();
  await cluster.sql("UPDATE lane SET kind = 'worker' WHERE model_id = 'own'");
});
afterAll(async () => {
  await worker?.kill();
  await cluster?.stop();
  await new Promise((resolve) => vendor?.close(resolve));
  await collector?.close();
});

interface Asked {
  traceId: string;
  status: number;
  header: string | null;
  text: string;
}

const ask = async (gateway: number, body: Record<string, unknown>): Promise<Asked> => {
  const traceId = randomBytes(16).toString('hex');
  const response = await fetch(`${cluster.gatewayUrls[gateway]}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json', traceparent: `00-${traceId}-${CLIENT_SPAN}-01` },
    body: JSON.stringify({ messages: [{ role: 'user', content: PROMPT }], max_tokens: 2, temperature: 0.5, ...body }),
    signal: AbortSignal.timeout(60_000),
  });
  return { traceId, status: response.status, header: response.headers.get('x-trace-id'), text: await response.text() };
};

/** The gateway learns within a moment that the lane is a worker: until then the worker refuses it. */
const askOwn = (gateway: number, body: Record<string, unknown> = {}): Promise<Asked> =>
  until('the worker answers', async () => {
    const asked = await ask(gateway, { model: 'own', ...body });
    return asked.status === 200 && asked;
  });

const spansOf = (traceId: string, count: number): Promise<CollectedSpan[]> =>
  until(`the collector has ${count} spans of ${traceId}`, () => collector.spansOf(traceId).length >= count && collector.spansOf(traceId));

const spanNamed = (spans: CollectedSpan[], name: string, kind?: number): CollectedSpan => {
  const found = spans.find((span) => span.name === name && (kind === undefined || span.kind === kind));
  if (!found) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
  return found;
};

describe('a request that was chosen', () => {
  it('is one trace from the client over gateway and worker to the flush that settled it and the rating that posted it', async () => {
    const { traceId, header } = await askOwn(0);
    expect(header).toBe(traceId);
    const spans = await spansOf(traceId, 5);
    const served = spans.find(({ service, kind }) => service === 'gateway' && kind === SERVER)!;
    expect(served).toMatchObject({ name: 'POST /v1/chat/completions', parentSpanId: CLIENT_SPAN, failed: false, events: expect.arrayContaining(['authenticated']) });
    expect(served.attributes).toMatchObject({ 'http.response.status_code': 200, 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'own', 'kilotoken.organization.id': cluster.tenant.organizationId });

    const attempt = spanNamed(spans, 'chat loopback', CLIENT);
    expect(attempt).toMatchObject({ service: 'gateway', parentSpanId: served.spanId, events: ['first_token'] });
    expect(attempt.attributes).toMatchObject({
      'gen_ai.provider.name': 'kilotoken',
      'gen_ai.request.model': 'loopback',
      'gen_ai.request.max_tokens': 2,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.usage.output_tokens': 2,
      'gen_ai.response.finish_reasons': ['length'],
      'server.address': '127.0.0.1',
    });
    const worked = spans.find(({ service }) => service === 'inference-worker')!;
    expect(worked).toMatchObject({ kind: SERVER, parentSpanId: attempt.spanId, events: ['batch.entered'] });
    expect(worked.attributes).toMatchObject({ 'gen_ai.usage.output_tokens': 2, 'gen_ai.request.model': 'loopback' });

    const settle = spanNamed(spans, 'settle');
    expect([settle.parentSpanId, spanNamed(spans, 'lease.wait').parentSpanId]).toEqual([served.spanId, served.spanId]);
    for (const span of spans) expect(span.startedNano <= span.endedNano).toBe(true);
    for (const child of [attempt, settle]) expect(child.startedNano >= served.startedNano && child.endedNano <= served.endedNano).toBe(true);

    const [flush] = await spansOf(settle.links[0]!.traceId, 1);
    expect(flush).toMatchObject({ name: 'settle flush', spanId: settle.links[0]!.spanId, parentSpanId: null });
    const rating = await until('its rating is there', () => collector.spans.find(({ name, links }) => name === 'rate' && links.some(({ spanId }) => spanId === flush!.spanId)));
    expect(rating.service).toBe('metering');
  });

  it('says so in its log line and in its header, as a stream too', async () => {
    const { traceId, header, text } = await askOwn(0, { stream: true });
    expect(header).toBe(traceId);
    expect(text).toContain('data: [DONE]');
    const attempt = spanNamed(await spansOf(traceId, 5), 'chat loopback', CLIENT);
    expect(attempt.events).toEqual(['first_token']);
    await until('its line is in the log', () => cluster.gateways[0]!.events('request.ended').some((line) => line['traceId'] === traceId));
  });
});

describe('where nothing is chosen', () => {
  it('a request that fails is exported all the same, and one that does not is not', async () => {
    const fine = await askOwn(1);
    expect(fine.header).toBeNull();
    const broken = await ask(1, { model: 'broken' });
    expect(broken.status).toBe(502);
    // Both are of one process and one queue: what was to come of the first would have come before.
    const spans = await spansOf(broken.traceId, 3);
    expect(spans.find(({ kind }) => kind === SERVER)).toMatchObject({ parentSpanId: CLIENT_SPAN, failed: true });
    expect(spans.filter(({ kind }) => kind === CLIENT)).not.toHaveLength(0);
    expect(spans.filter(({ kind }) => kind === CLIENT).every(({ failed }) => failed)).toBe(true);
    expect(collector.spansOf(fine.traceId)).toEqual([]);
  });

  it('a refusal that is the caller\'s own fault is no failure', async () => {
    const refused = await ask(1, { model: 'no-such-model' });
    expect(refused.status).toBe(404);
    const after = await ask(1, { model: 'broken' });
    await spansOf(after.traceId, 3);
    expect(collector.spansOf(refused.traceId)).toEqual([]);
  });
});

describe('what leaves', () => {
  it('tells a vendor nothing of the trace unless it is set to', () => {
    expect(vendorSaw.length).toBeGreaterThan(0);
    for (const headers of vendorSaw) expect(headers).not.toHaveProperty('traceparent');
  });

  it('holds no prompt, no answer and no key', () => {
    const received = collector.received();
    expect(received).toContain('gen_ai.request.model');
    for (const secret of [PROMPT, cluster.apiKey, cluster.internalToken, 'loopback engine']) expect(received).not.toContain(secret);
  });
});
