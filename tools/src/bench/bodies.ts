import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { z } from 'zod';
import type { SenderOrder } from './bodies-sender.js';
import { startBenchProcess } from './child.js';
import { benchModel } from './exchange.js';
import { startInstallation } from './installation.js';
import { number, readOptions, runMeasurement, type BenchRun } from './run.js';

/**
 * npm run bench:bodies: the cost of one customer's large bodies for another customer's small requests. Rounds with and
 * without the bodies alternate. It prints the times of the small requests and never fails on a time.
 */
const optionsSchema = z.object({ seconds: z.number().min(1).max(600), rounds: z.number().int().min(1).max(20), json: z.boolean() });

const MiB = 1024 * 1024;
/** Just below the gateway's limit. */
const largest = 20 * MiB - 1;
const belowThreads = 64 * 1024;

type Beside = Pick<SenderOrder, 'kind' | 'bytes' | 'atOnce'>;
const conditions: readonly (readonly [string, Beside])[] = [
  ['six bodies of 20 MB with 1.5 million keys', { kind: 'keys', bytes: largest, atOnce: 6 }],
  ['six hostile bodies of 20 MB', { kind: 'hostile', bytes: largest, atOnce: 6 }],
  ['two valid requests of 20 MB', { kind: 'heavy', bytes: largest, atOnce: 2 }],
  ['six hostile bodies of 64 KiB', { kind: 'hostile', bytes: belowThreads, atOnce: 6 }],
  ['six valid requests of 64 KiB', { kind: 'heavy', bytes: belowThreads, atOnce: 6 }],
];

/** Small requests at a fixed rate, independent of earlier answers: a gateway that stands still delays all of them. */
const everyMs = 20;

interface Waits {
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

const measureWaits = async (pool: Pool, key: string, seconds: number): Promise<Waits> => {
  const body = JSON.stringify({ model: benchModel, messages: [{ role: 'user', content: 'hello' }], max_tokens: 16 });
  const tookMs: number[] = [];
  let failed = 0;
  const ask = async (dueMs: number): Promise<void> => {
    const answer = await pool.request({ method: 'POST', path: '/v1/chat/completions', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body });
    await answer.body.dump();
    if (answer.statusCode !== 200) failed += 1;
    tookMs.push(performance.now() - dueMs);
  };
  const startMs = performance.now();
  const asked: Promise<void>[] = [];
  for (let index = 0; index * everyMs < seconds * 1_000; index += 1) {
    const dueMs = startMs + index * everyMs;
    await pause(Math.max(0, dueMs - performance.now()));
    asked.push(ask(performance.now()));
  }
  await Promise.all(asked);
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.min(tookMs.length - 1, Math.ceil(tookMs.length * share) - 1)]!;
  return { requests: tookMs.length, failed, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) };
};

interface MainThread {
  readonly ranMs: number;
  readonly waitedMs: number;
}

/** The kernel's account of the gateway's event loop: time on a core, and time ready without a core. */
const readMainThread = (pid: number): MainThread => {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ').map(Number);
  return { ranMs: ran! / 1e6, waitedMs: waited! / 1e6 };
};

const describe = ({ requests, failed, p50Ms, p99Ms, mostMs }: Waits): string =>
  `${requests} requests, ${failed} failed, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, longest ${mostMs.toFixed(0)} ms`;

export const runBench = async (args: string[]): Promise<void> => {
  const command = new Command('npm run bench:bodies --')
    .description("Measures the cost of one customer's large bodies for another customer's small requests.")
    .option('--seconds <count>', 'length of a round (10)', number)
    .option('--rounds <count>', 'rounds of each condition (2)', number);
  const options = readOptions(command, args, optionsSchema, { full: { seconds: 10, rounds: 2 }, quick: {} });
  await runMeasurement(options.json, async (run) => measure(options, run));
};

const measure = async ({ seconds, rounds }: z.infer<typeof optionsSchema>, { say, cleanup }: BenchRun): Promise<object> => {
  const vendor = await startBenchProcess('vendor');
  cleanup.push(vendor.stop);
  const sender = await startBenchProcess('bodies-sender');
  cleanup.push(sender.stop);
  const { port } = z.object({ port: z.number() }).parse(vendor.ready);
  const installation = await startInstallation({ vendorOrigin: `http://127.0.0.1:${port}`, organizations: 1, limited: false, inspected: false, settings: {}, postgres: {} }, cleanup);
  const { origin } = installation.gateway;
  const pool = new Pool(origin, { connections: 64 });
  cleanup.push(() => pool.destroy());
  const answered = z.object({ statuses: z.record(z.string(), z.number()) });

  await measureWaits(pool, installation.key, seconds);
  const report: object[] = [];
  for (const [name, beside] of conditions) {
    for (let round = 0; round < rounds; round += 1) {
      const idle = await measureWaits(pool, installation.key, seconds);
      const order: SenderOrder = { origin, key: installation.otherKeys[0]!, ...beside, seconds: seconds + 2 };
      const sending = sender.ask(order, answered, (seconds + 120) * 1_000);
      // The sender needs a while to build its bodies.
      await pause(1_500);
      const before = readMainThread(installation.gateway.pid);
      const with_ = await measureWaits(pool, installation.key, seconds);
      const after = readMainThread(installation.gateway.pid);
      const [ranMs, waitedMs] = [after.ranMs - before.ranMs, after.waitedMs - before.waitedMs];
      const { statuses } = await sending;
      say(`\n${name}\n  without: ${describe(idle)}\n  with:    ${describe(with_)}`);
      say(`  the difference: p50 ${(with_.p50Ms - idle.p50Ms).toFixed(1)} ms, p99 ${(with_.p99Ms - idle.p99Ms).toFixed(1)} ms; the bodies were answered: ${JSON.stringify(statuses)}`);
      say(`  the event loop ran ${ranMs.toFixed(0)} ms and was ready without a core for ${waitedMs.toFixed(0)} ms`);
      report.push({ name, idle, with: with_, statuses, ranMs, waitedMs });
    }
  }
  return report;
};
