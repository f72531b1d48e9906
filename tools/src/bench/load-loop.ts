import { createHistogram, performance } from 'node:perf_hooks';
import { Pool, type Dispatcher } from 'undici';
import type { LoadOrder, LoadResult } from './load-order.js';

/** A closed loop of requests: as many at once as there are connections, each answer looked at to its end before the next is asked for. */
const problemsMax = 3;
const answerMsMax = 30_000;
const nanosecondsPerMs = 1e6;

export interface LoadRequest {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Looks at an answer with status 200; null: it is whole. */
  readonly problemWith: (answer: string) => string | null;
}

/** Null: the answer was whole. */
const send = (pool: Pool, { path, method, headers, body, problemWith }: LoadRequest): Promise<string | null> =>
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
        resolve(status === 200 ? problemWith(answer) : `status ${status}: ${answer.slice(0, 200)}`);
      },
      onResponseError: (_controller, error) => resolve(error.message),
    };
    pool.dispatch({ path, method, headers: { ...headers }, body, headersTimeout: answerMsMax, bodyTimeout: answerMsMax }, handler);
  });

export type Loop = Pick<LoadOrder, 'origin' | 'connections' | 'durationMs' | 'requestsMax'>;

/** `requestAt` makes the request of each number from 0. */
export const runLoad = async ({ origin, connections, durationMs, requestsMax }: Loop, requestAt: (number: number) => LoadRequest): Promise<LoadResult> => {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const latency = createHistogram();
  const problems: string[] = [];
  let sent = 0;
  let requests = 0;
  let failures = 0;
  const startedMs = performance.now();
  const endMs = startedMs + durationMs;
  const client = async (): Promise<void> => {
    while (sent < requestsMax && performance.now() < endMs) {
      const request = requestAt(sent);
      sent += 1;
      const sentMs = performance.now();
      const problem = await send(pool, request);
      latency.record(Math.max(1, Math.round((performance.now() - sentMs) * nanosecondsPerMs)));
      requests += 1;
      if (problem === null) continue;
      failures += 1;
      if (problems.length < problemsMax) problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  const elapsedMs = performance.now() - startedMs;
  await pool.close();
  const at = (percentile: number): number => latency.percentile(percentile) / nanosecondsPerMs;
  return { requests, failures, problems, elapsedMs, requestsPerSecond: (requests / elapsedMs) * 1_000, p50Ms: at(50), p99Ms: at(99) };
};
