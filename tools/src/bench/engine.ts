import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findFreePort } from '../free-port.js';
import { resolveModel, type ResolvedModel } from '../model/index.js';
import { startBenchApp } from './app.js';
import { startBenchProcess, type BenchProcess } from './child.js';
import { loadWorker, measureShortBesideLong, type ShortBesideLong, type WorkerAddress } from './engine-client.js';
import { readEngineBenchOptions, readModelPlace, type EngineBenchOptions } from './engine-options.js';
import { batchTokens, contextTokens, engineResult, promptsFor, type EngineOrder, type EngineResult } from './engine-order.js';
import { compareEngines, engineHeading, engineLines, engineSides, type EngineComparison, type EngineRound, type EngineSide } from './engine-report.js';
import { runMeasurement, type BenchRun, type Cleanup } from './run.js';

interface Report {
  readonly machine: string;
  readonly model: string;
  readonly threads: number;
  readonly slots: number;
  readonly comparisons: readonly EngineComparison[];
  readonly shortBesideLong: ShortBesideLong;
}

type Sides = Readonly<Record<EngineSide, (order: EngineOrder) => Promise<EngineResult>>>;

const roundMsMax = 600_000;
const warmUpTokens = 8;

/** The worker through its HTTP face against bare loops over node-llama-cpp, in alternating rounds of one run. */
export const runBench = async (args: string[]): Promise<void> => {
  const options = readEngineBenchOptions(args);
  await runMeasurement(options.json, async (run) => measure(options, await findModel(run.say), run));
};

const findModel = async (say: BenchRun['say']): Promise<ResolvedModel> => {
  const { KILOTOKEN_HOME, KILOTOKEN_MODEL_PATH } = readModelPlace();
  const model = await resolveModel({ home: resolve(KILOTOKEN_HOME), modelPath: KILOTOKEN_MODEL_PATH, onNotice: say });
  if (!model) throw new Error('npm run bench:engine needs a model');
  return model;
};

const measure = async (options: EngineBenchOptions, model: ResolvedModel, { say, cleanup }: BenchRun): Promise<Report> => {
  const { slots, threads } = options;
  const worker = await startWorker(options, model, cleanup);
  const start = async (kind: Exclude<EngineSide, 'worker'>): Promise<BenchProcess> => {
    const started = await startBenchProcess('engine-bare', [kind, model.path, String(slots), String(threads)]);
    cleanup.push(started.stop);
    return started;
  };
  const [bare, loops, engine] = [await start('bare'), await start('loops'), await start('engine')];
  const sides: Sides = {
    bare: async (order) => bare.ask(order, engineResult, roundMsMax),
    loops: async (order) => loops.ask(order, engineResult, roundMsMax),
    engine: async (order) => engine.ask(order, engineResult, roundMsMax),
    worker: async (order) => loadWorker(worker, order),
  };
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores, Node ${process.versions.node}`;
  say(`${machine}; ${model.id}, ${threads} threads, ${slots} slots of ${contextTokens} tokens, answers of ${options.tokens} tokens, ${options.rounds} rounds\n`);
  say(engineHeading);
  const comparisons: EngineComparison[] = [];
  for (const concurrency of options.concurrency) {
    const comparison = compareEngines(concurrency, slots, await runRounds(sides, concurrency, options));
    comparisons.push(comparison);
    engineLines(comparison).forEach(say);
  }
  const [longPrompt, shortPrompt] = promptsFor(2) as [string, string];
  const shortBesideLong = await measureShortBesideLong(worker, longPrompt, shortPrompt);
  const { shortMs, longMs, shortEndsFirst } = shortBesideLong;
  say(`\nA short answer asked for during a long one ended after ${shortMs.toFixed(0)} ms, the long one after ${longMs.toFixed(0)} ms: ${shortEndsFirst ? 'first' : 'NOT first'}.`);
  return { machine, model: model.id, threads, slots, comparisons, shortBesideLong };
};

const startWorker = async ({ slots, threads }: EngineBenchOptions, model: ResolvedModel, cleanup: Cleanup): Promise<WorkerAddress> => {
  const folder = mkdtempSync(join(tmpdir(), 'kilotoken-bench-engine-'));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  const port = await findFreePort();
  const token = randomBytes(16).toString('hex');
  const settings = {
    WORKER_PORT: String(port),
    INTERNAL_TOKEN: token,
    KILOTOKEN_MODEL_PATH: model.path,
    WORKER_SLOTS: String(slots),
    WORKER_CONTEXT_TOKENS: String(contextTokens),
    WORKER_BATCH_TOKENS: String(batchTokens),
    WORKER_THREADS: String(threads),
  };
  const { origin, stop } = await startBenchApp({ name: 'inference-worker', port, folder, settings });
  cleanup.push(stop);
  return { origin, token, model: model.id };
};

/** The order rotates from round to round, so that a machine that slows down favours no side. */
const runRounds = async (sides: Sides, concurrency: number, { rounds, tokens }: EngineBenchOptions): Promise<EngineRound[]> => {
  const prompts = promptsFor(concurrency);
  for (const side of engineSides) await sides[side]({ prompts, tokens: warmUpTokens });
  const measured: EngineRound[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = engineSides.map((_side, index) => engineSides[(index + round) % engineSides.length]!);
    const results: Partial<Record<EngineSide, EngineResult>> = {};
    for (const side of order) results[side] = await sides[side]({ prompts, tokens });
    measured.push(results as EngineRound);
  }
  return measured;
};
