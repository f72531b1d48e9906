import { pathToFileURL } from 'node:url';
import type * as NodeLlamaCpp from 'node-llama-cpp';
import type { BatchingOptions, Llama, LlamaContext, LlamaModel } from 'node-llama-cpp';
import { readFirstRowAlone } from './llama-logits.engine.js';

/**
 * llama.cpp in this process: one context of `slots` sequences, each with `contextTokens` of KV cache of its own, decoded
 * together. Memory is taken when it is loaded: weights, and `slots` × `contextTokens` of cache (24 KB a token for
 * SmolLM2-135M, so 16 × 2,048 take 0.8 GB).
 */
export interface LlamaSettings {
  readonly modelPath: string;
  /** Sequences in the batch at once. */
  readonly slots: number;
  readonly contextTokens: number;
  /** Tokens that one decode computes; more than `slots`. */
  readonly batchTokens: number;
  /** Threads that compute. More than there are cores is slower by orders of magnitude: they wait for each other spinning. */
  readonly threads: number;
  readonly topK: number;
  readonly gpu: 'cuda' | 'vulkan' | 'metal' | false;
  /** The folder of another installation of node-llama-cpp, one that carries the binary for `gpu`; null is our own. */
  readonly packageFolder: string | null;
  readonly onDecode?: (decode: { sequences: number; tokens: number }) => void;
  readonly onLog?: (level: 'warn' | 'error', message: string) => void;
}

const loadLibrary = async (packageFolder: string | null): Promise<typeof NodeLlamaCpp> =>
  packageFolder === null ? import('node-llama-cpp') : ((await import(pathToFileURL(`${packageFolder}/dist/index.js`).href)) as typeof NodeLlamaCpp);

/** Every decode passes here with all that waits for it: with steps no larger than a batch, all of it is taken. */
const observeDecodes = (onDecode: LlamaSettings['onDecode']): BatchingOptions => ({
  itemPrioritizationStrategy: ({ items, size }) => {
    let tokens = 0;
    const taken = items.map((item) => {
      const processAmount = Math.min(item.tokens.length, size - tokens);
      tokens += processAmount;
      return { item, processAmount };
    });
    onDecode?.({ sequences: taken.filter(({ processAmount }) => processAmount > 0).length, tokens });
    return taken;
  },
});

export interface LoadedContext {
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly context: LlamaContext;
}

/** Loads the weights and takes the memory of the cache. */
export const loadLlamaContext = async (settings: LlamaSettings, onDecode: LlamaSettings['onDecode']): Promise<LoadedContext> => {
  const { getLlama, LlamaLogLevel } = await loadLibrary(settings.packageFolder);
  const llama = await getLlama({
    gpu: settings.gpu,
    build: 'never',
    progressLogs: false,
    maxThreads: settings.threads,
    logLevel: LlamaLogLevel.warn,
    logger: (level, message) => settings.onLog?.(level === LlamaLogLevel.warn ? 'warn' : 'error', message.trim()),
  });
  try {
    const model = await llama.loadModel({ modelPath: settings.modelPath, ...(settings.gpu === false ? { gpuLayers: 0 } : {}) });
    const context = await model.createContext({
      sequences: settings.slots,
      contextSize: Math.min(settings.contextTokens, model.trainContextSize),
      batchSize: settings.batchTokens,
      threads: settings.threads,
      batching: observeDecodes(onDecode),
      // A context that is smaller than asked for would refuse prompts that the catalogue promises to take.
      failedCreationRemedy: false,
    });
    readFirstRowAlone(context);
    return { llama, model, context };
  } catch (error) {
    await llama.dispose();
    throw error;
  }
};

