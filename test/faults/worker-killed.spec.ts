import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findFreePort } from '@kilotoken/tools/free-port';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { AppProcess } from '../support/cluster-process.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';

/** Our own inference worker dies with a batch in its hands: each request of the batch ends once and is billed once. */

const BATCH = 12;
/** Some twenty seconds of an answer. */
const TOKENS = 1_000;

let cluster: Cluster;
let worker: AppProcess;
let client: ClientLog;

beforeAll(async () => {
  const port = await findFreePort();
  cluster = await startCluster({
    models: [{ model: 'own', lanes: [{ baseUrl: `http://127.0.0.1:${port}/v1`, upstreamModel: 'loopback' }] }],
    grants: ['1'],
    env: { ATTEMPTS_MAX: '1', CHECKPOINT_MS: '200' },
  });
  await cluster.sql("UPDATE lane SET kind = 'worker'");
  const env = { HOST: '127.0.0.1', INTERNAL_TOKEN: cluster.internalToken, WORKER_PORT: String(port), WORKER_LOOPBACK_TOKEN_DELAY_MS: '20' };
  worker = new AppProcess({ app: 'inference-worker', name: `worker-${port}`, port, env });
  await worker.start();
  client = new ClientLog();
  await untilServed();
});
afterAll(async () => {
  await client?.close();
  await worker?.kill();
  await cluster?.stop();
});

const ask = (stream: boolean, maxTokens: number): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, model: 'own', stream, script: { label: 'word '.repeat(TOKENS) }, body: { max_tokens: maxTokens } });
/** The gateway learns within a moment that the lane is a worker, and the worker what it serves. */
const untilServed = (): Promise<unknown> => until('the worker answers', async () => (await ask(false, 2)).completed);
const rowsOf = ({ requestId }: ClientLogEntry) =>
  until('the request is settled', async () => {
    const rows = await cluster.sql<{ outcome: string; output: number; charged: boolean }>("SELECT outcome, (counts ->> 'output')::int AS output, charge > 0 AS charged FROM usage WHERE id = $1", [requestId]);
    return rows.length > 0 && rows;
  });

describe('a worker that is killed in the middle of a batch', () => {
  it('ends each stream of it with an error, billed once for what came, and each JSON answer for nothing; the next one serves', async () => {
    const before = client.entries.length;
    const streams = Array.from({ length: BATCH }, () => ask(true, TOKENS));
    const answers = Array.from({ length: 3 }, () => ask(false, TOKENS));
    await until('the whole batch runs', () => client.entries.slice(before).filter(({ chunks }) => chunks > 2).length === BATCH);
    await worker.kill('SIGKILL');

    for (const entry of await Promise.all(streams)) {
      expect(entry).toMatchObject({ completed: false, errorCode: 'upstream_error', finishReasons: [] });
      expect(await rowsOf(entry)).toEqual([{ outcome: 'interrupted', output: entry.chunks, charged: true }]);
    }
    for (const entry of await Promise.all(answers)) {
      expect(entry).toMatchObject({ status: 502, completed: false, errorCode: 'upstream_error' });
      expect(await rowsOf(entry)).toEqual([{ outcome: 'upstream_failed', output: null, charged: false }]);
    }
    await worker.start();
    await untilServed();
    await cluster.expectSettled();
  });
});
