import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { until } from '../../../../test/support/until.js';
import { startTraceCollector } from '../../../../test/support/trace-collector.js';
import { openSpanExport } from './tracing.export.js';
import type { SpanRecord } from './tracing.js';

const span = (number: number): SpanRecord => ({
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: number.toString(16).padStart(16, '0'),
  parentSpanId: number === 1 ? null : '0000000000000001',
  name: `span ${number}`,
  kind: 'client',
  startedMs: 1_700_000_000_000.25,
  endedMs: 1_700_000_000_001.5,
  attributes: { text: 'a', count: 3, list: ['b', 'c'] },
  errorType: number === 2 ? 'upstream_error' : null,
});

let registry: Registry;
beforeEach(() => {
  registry = new Registry();
});

const countOf = async (result: string): Promise<number> => {
  const { values } = await registry.getSingleMetric('kilotoken_trace_spans_total')!.get();
  return values.find(({ labels }) => labels['result'] === result)?.value ?? 0;
};

describe('spans', () => {
  it('arrive as they were, to the microsecond, with their parents and failures', async () => {
    const collector = await startTraceCollector();
    const { sink, stop } = openSpanExport({ endpoint: `${collector.url}/`, headers: {}, serviceName: 'gateway' }, registry);
    sink(span(1));
    sink(span(2));
    await stop();
    expect(collector.spans).toMatchObject([
      { service: 'gateway', name: 'span 1', parentSpanId: null, failed: false, kind: 3, attributes: { text: 'a', count: 3, list: ['b', 'c'] } },
      { name: 'span 2', parentSpanId: '0000000000000001', failed: true, attributes: { 'error.type': 'upstream_error' } },
    ]);
    expect(collector.spans[0]).toMatchObject({ startedNano: 1_700_000_000_000_250_000n, endedNano: 1_700_000_000_001_500_000n });
    expect(await countOf('exported')).toBe(2);
    await collector.close();
  });
});

describe('a collector that is slow', () => {
  const waiting: ServerResponse[] = [];
  let slow = true;
  const server = createServer((request, response) => {
    request.resume().once('end', () => (slow ? waiting.push(response) : response.end('{}')));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('costs spans, counted, and no memory beyond a bound', async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { sink, stop } = openSpanExport({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, headers: {}, serviceName: 'gateway' }, registry);
    for (let number = 1; number <= 8_192 + 10; number += 1) sink(span(number));
    expect(await countOf('dropped')).toBe(10);
    await until('a batch is on its way', () => waiting.length > 0);
    slow = false;
    waiting.forEach((response) => response.end('{}'));
    await stop();
    expect([await countOf('exported'), await countOf('failed')]).toEqual([8_192, 0]);
  });
});
