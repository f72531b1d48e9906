import { availableParallelism } from 'node:os';
import { engineContextTokensMax, engineServerOf, engineServerSettings, localModelDefaults } from '@kilotoken/inference';
import { ConfigError, parseConfig, processSettings, readEnvironment, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

const yesOrNo = (fallback: '0' | '1') => z.enum(['0', '1'], { error: 'must be 0 or 1' }).prefault(fallback);

export const workerSettings = z.object({
  ...processSettings,
  WORKER_PORT: setting.port(8084),
  BODY_LIMIT_BYTES: setting.sizeBytes(20 * 1024 * 1024, 1024, 1024 * 1024 * 1024),

  // The most that may wait for each engine. Further requests get 429.
  WORKER_QUEUE_SEQUENCES: setting.wholeNumber({ fallback: 256, min: 0, max: 100_000 }),
  WORKER_QUEUE_TOKENS: setting.wholeNumber({ fallback: 1_048_576, min: 0, max: 1_000_000_000, unit: 'tokens' }),

  // llama.cpp in this process.
  KILOTOKEN_HOME: z.string().prefault('.kilotoken'),
  KILOTOKEN_MODEL_PATH: z.string().optional(),
  KILOTOKEN_GPU: z.enum(['cuda', 'vulkan', 'metal'], { error: 'must be cuda, vulkan or metal' }).optional(),
  WORKER_SLOTS: setting.wholeNumber({ fallback: localModelDefaults.slots, min: 1, max: 256 }),
  WORKER_CONTEXT_TOKENS: setting.wholeNumber({ fallback: localModelDefaults.contextTokens, min: 64, max: engineContextTokensMax, unit: 'tokens' }),
  WORKER_KV_TOKENS: setting.wholeNumber({ min: 64, max: 256 * engineContextTokensMax, unit: 'tokens' }).optional(),
  WORKER_BATCH_TOKENS: setting.wholeNumber({ fallback: 256, min: 2, max: 8_192, unit: 'tokens' }),
  WORKER_THREADS: setting.wholeNumber({ min: 1, max: 1_024 }).optional(),
  WORKER_TOP_K: setting.wholeNumber({ fallback: 40, min: 0, max: 1_000_000 }),

  // The loopback engine.
  WORKER_LOOPBACK_SEQUENCES: setting.wholeNumber({ fallback: 1_024, min: 1, max: 100_000 }),
  WORKER_LOOPBACK_TOKEN_DELAY_MS: setting.durationMs(0, 0, 60_000),

  // A server with OpenAI's API.
  ...engineServerSettings,
  WORKER_ENGINE_SEQUENCES: setting.wholeNumber({ fallback: 64, min: 1, max: 100_000 }),
  WORKER_ENGINE_KV_TOKENS: setting.wholeNumber({ min: 64, max: 1_000_000_000, unit: 'tokens' }).optional(),
  WORKER_ENGINE_CONNECT_MS: setting.durationMs(5_000, 1, 600_000),
  WORKER_ENGINE_FIRST_BYTE_MS: setting.durationMs(120_000, 1, 3_600_000),
  WORKER_ENGINE_IDLE_MS: setting.durationMs(60_000, 1, 3_600_000),
  WORKER_ENGINE_CONTINUOUS_USAGE: yesOrNo('1'),
});

export type WorkerSettings = z.infer<typeof workerSettings>;

/** Throws a ConfigError that names every wrong setting, or else every pair of settings that contradict each other. */
export const parseWorkerSettings = (environment: Environment): WorkerSettings => {
  const settings = parseConfig(workerSettings, environment);
  const problems: string[] = [];
  if (settings.WORKER_BATCH_TOKENS <= settings.WORKER_SLOTS) {
    problems.push('WORKER_BATCH_TOKENS is wrong: must be more than WORKER_SLOTS, so that prompts find room beside the answers');
  }
  const server = engineServerOf(settings);
  if (typeof server === 'string') problems.push(server);
  if (settings.KILOTOKEN_GPU === 'metal' && process.platform !== 'darwin') {
    problems.push('KILOTOKEN_GPU is wrong: metal works on Macs only; use cuda or vulkan, or leave it unset for the CPU');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return settings;
};

export const readWorkerSettings = (): WorkerSettings => parseWorkerSettings(readEnvironment());

/** On Macs with Apple's chips the binary supports Metal only; every other installation carries the binary for the CPU. */
export const deviceOf = ({ KILOTOKEN_GPU }: WorkerSettings): 'cuda' | 'vulkan' | 'metal' | false =>
  KILOTOKEN_GPU ?? (process.platform === 'darwin' && process.arch === 'arm64' ? 'metal' : false);

/** More threads than cores spin while they wait for each other, which is slower by orders of magnitude. */
export const threadsOf = ({ WORKER_THREADS }: WorkerSettings): number => WORKER_THREADS ?? availableParallelism();
