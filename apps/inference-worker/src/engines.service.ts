import { existsSync } from 'node:fs';
import { createDispatcher, createLoopbackEngine, createOpenAiEngine, engineServerOf, gpuPackageFolderOf, loadLlamaEngine, modelIdOf, type Dispatcher, type DispatchLimits, type Engine, type EngineServer } from '@kilotoken/inference';
import { ConfigError, type Platform } from '@kilotoken/platform';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { deviceOf, threadsOf, type WorkerSettings } from './config.js';
import { explainLoadFailure } from './load-failure.js';
import { createWorkerMetrics, type WorkerMetrics } from './worker-metrics.js';

/** The engines of this worker, each behind a queue of its own, by the id of the model that they answer for. */
@Injectable()
export class EnginesService implements OnApplicationShutdown {
  private readonly byModel: ReadonlyMap<string, Dispatcher>;

  private constructor(
    readonly dispatchers: readonly Dispatcher[],
    readonly metrics: WorkerMetrics,
  ) {
    this.byModel = new Map(dispatchers.map((dispatcher) => [dispatcher.engine.modelId, dispatcher]));
    metrics.watch(dispatchers);
  }

  /** Loads what the settings name. Rejects with a ConfigError that says what is wrong with it. */
  static async open(platform: Platform<WorkerSettings>): Promise<EnginesService> {
    const { settings, registry, clock } = platform;
    refuseSameIds(settings);
    const metrics = createWorkerMetrics(registry);
    const dispatchers: Dispatcher[] = [];
    if (settings.KILOTOKEN_MODEL_PATH !== undefined) {
      const engine = await loadLocalModel(settings.KILOTOKEN_MODEL_PATH, platform, metrics);
      dispatchers.push(createDispatcher(engine, localLimits(settings, engine), clock));
    }
    const server = serverOf(settings);
    if (server) {
      const limits = limitsOf(settings, settings.WORKER_ENGINE_SEQUENCES, settings.WORKER_ENGINE_KV_TOKENS ?? Number.MAX_SAFE_INTEGER);
      dispatchers.push(createDispatcher(createRemoteEngine(server, settings), limits, clock));
    }
    const loopback = createLoopbackEngine({ tokenDelayMs: settings.WORKER_LOOPBACK_TOKEN_DELAY_MS });
    dispatchers.push(createDispatcher(loopback, limitsOf(settings, settings.WORKER_LOOPBACK_SEQUENCES, Number.MAX_SAFE_INTEGER), clock));
    return new EnginesService(dispatchers, metrics);
  }

  find(modelId: string): Dispatcher | null {
    return this.byModel.get(modelId) ?? null;
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.dispatchers.map(async ({ engine }) => engine.close()));
  }
}

const limitsOf = (settings: WorkerSettings, sequencesMax: number, kvTokensMax: number): DispatchLimits => ({
  sequencesMax,
  kvTokensMax,
  waitingSequencesMax: settings.WORKER_QUEUE_SEQUENCES,
  waitingTokensMax: settings.WORKER_QUEUE_TOKENS,
});

const localLimits = (settings: WorkerSettings, engine: Engine): DispatchLimits =>
  limitsOf(settings, settings.WORKER_SLOTS, settings.WORKER_KV_TOKENS ?? settings.WORKER_SLOTS * engine.contextTokens);

/** The settings were refused where one of the server's is missing. */
const serverOf = (settings: WorkerSettings): EngineServer | null => {
  const server = engineServerOf(settings);
  if (typeof server === 'string') throw new ConfigError([server]);
  return server;
};

/** Two engines under one id would hide one of them. */
const refuseSameIds = (settings: WorkerSettings): void => {
  const ids = ['loopback'];
  if (settings.KILOTOKEN_MODEL_PATH !== undefined) ids.push(modelIdOf(settings.KILOTOKEN_MODEL_PATH));
  const server = serverOf(settings);
  if (server) ids.push(server.modelId);
  const twice = ids.find((id, index) => ids.indexOf(id) < index);
  if (twice !== undefined) throw new ConfigError([`WORKER_ENGINE_MODEL_ID is wrong: this worker serves ${twice} already; choose another id for the model at WORKER_ENGINE_URL, or rename the file`]);
};

const loadLocalModel = async (modelPath: string, { settings, logger }: Platform<WorkerSettings>, metrics: WorkerMetrics): Promise<Engine> => {
  const modelId = modelIdOf(modelPath);
  const gpu = deviceOf(settings);
  const needsPackage = gpu === 'cuda' || gpu === 'vulkan';
  const packageFolder = needsPackage ? gpuPackageFolderOf(settings.KILOTOKEN_HOME) : null;
  if (packageFolder !== null && !existsSync(packageFolder)) {
    throw new ConfigError([`KILOTOKEN_GPU is wrong: llama.cpp for ${gpu} is not installed in ${packageFolder}; npm start installs it`]);
  }
  if (!existsSync(modelPath)) throw new ConfigError([`KILOTOKEN_MODEL_PATH is wrong: there is no file ${modelPath}; npm start fetches one`]);
  try {
    return await loadLlamaEngine({
      modelPath,
      slots: settings.WORKER_SLOTS,
      contextTokens: settings.WORKER_CONTEXT_TOKENS,
      batchTokens: settings.WORKER_BATCH_TOKENS,
      threads: threadsOf(settings),
      topK: settings.WORKER_TOP_K,
      gpu,
      packageFolder,
      onDecode: (decode) => metrics.decoded(modelId, decode),
      onLog: (level, message) => logger[level]({ event: 'llama.log', message }),
    });
  } catch (error) {
    logger.fatal({ event: 'model.load_failed', error });
    throw new ConfigError([explainLoadFailure(error, { modelPath, device: gpu, platform: `${process.platform}-${process.arch}` })]);
  }
};

const createRemoteEngine = ({ url, modelId, upstreamModel, key, contextTokens }: EngineServer, settings: WorkerSettings): Engine =>
  createOpenAiEngine({
    baseUrl: url,
    modelId,
    upstreamModel,
    key,
    contextTokens,
    connectionsMax: settings.WORKER_ENGINE_SEQUENCES,
    connectMs: settings.WORKER_ENGINE_CONNECT_MS,
    firstByteMs: settings.WORKER_ENGINE_FIRST_BYTE_MS,
    idleMs: settings.WORKER_ENGINE_IDLE_MS,
    continuousUsage: settings.WORKER_ENGINE_CONTINUOUS_USAGE === '1',
  });
