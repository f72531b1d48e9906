import { createHistogram, performance } from 'node:perf_hooks';
import { Pool, type Dispatcher } from 'undici';
import { reportReady } from './child.js';
import { problemWith, requestBody } from './exchange.js';
import { loadOrder, type LoadOrder, type LoadResult } from './load-order.js';

/** The client: as many requests at once as it has connections, each answer looked at to its end before the next is asked for. */
const problemsMax = 3;
const answerMsMax = 30_000;
const nanosecondsPerMs = 1e6;

const send = (pool: Pool, order: LoadOrder, body: string, key: string): Promise<string | null> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let status = 0;
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, received) => {
        status = received;
      },
      onResponseData: (_controller, chunk) => {
        chunks.push(chunk);
      },
      onResponseEnd: () => {
        const answer = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('latin1');
        resolve(status === 200 ? problemWith(order.mode, answer) : `status ${status}: ${answer.slice(0, 200)}`);
      },
      onResponseError: (_controller, error) => resolve(error.message),
    };
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    pool.dispatch({ path: '/v1/chat/completions', method: 'POST', headers, body, headersTimeout: answerMsMax, bodyTimeout: answerMsMax }, handler);
  });

const run = async (order: LoadOrder): Promise<LoadResult> => {
  const pool = new Pool(order.origin, { connections: order.connections, pipelining: 1 });
  const body = requestBody(order.mode);
  const latency = createHistogram();
  const problems: string[] = [];
  let sent = 0;
  let requests = 0;
  let failures = 0;
  const startedMs = performance.now();
  const endMs = startedMs + order.durationMs;
  const client = async (): Promise<void> => {
    while (sent < order.requestsMax && performance.now() < endMs) {
      const key = order.keys[sent % order.keys.length]!;
      sent += 1;
      const sentMs = performance.now();
      const problem = await send(pool, order, body, key);
      latency.record(Math.max(1, Math.round((performance.now() - sentMs) * nanosecondsPerMs)));
      requests += 1;
      if (problem === null) continue;
      failures += 1;
      if (problems.length < problemsMax) problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: order.connections }, client));
  const elapsedMs = performance.now() - startedMs;
  await pool.close();
  const at = (percentile: number): number => latency.percentile(percentile) / nanosecondsPerMs;
  return { requests, failures, problems, elapsedMs, requestsPerSecond: (requests / elapsedMs) * 1_000, p50Ms: at(50), p99Ms: at(99) };
};

process.on('message', (message) => {
  const order = loadOrder.parse(message);
  void run(order).then((result) => process.send!(result));
});

reportReady({});
