/**
 * Why the model in process could not be loaded, as the setting that is to be changed. The library tells its errors apart by
 * name; the name is all that is taken from them but the message.
 */
export interface LoadAttempt {
  readonly modelPath: string;
  readonly device: 'cuda' | 'vulkan' | 'metal' | false;
  /** `linux-x64`, … */
  readonly platform: string;
}

export const explainLoadFailure = (error: unknown, { modelPath, device, platform }: LoadAttempt): string => {
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  const says = (word: RegExp): boolean => word.test(name) || word.test(message);
  if (says(/NoBinaryFound/)) {
    return device === false
      ? `KILOTOKEN_MODEL_PATH is wrong: there is no llama.cpp for this machine (${platform}); leave it out, and name a server in WORKER_ENGINE_URL`
      : `KILOTOKEN_GPU is wrong: no ${device} device or driver works here; install the driver, or leave it out to compute on the CPU`;
  }
  if (says(/InsufficientMemory|out of memory|failed to create context/i)) {
    return `WORKER_SLOTS is wrong: the memory does not hold the cache of WORKER_SLOTS × WORKER_CONTEXT_TOKENS tokens beside the model (${message}); lower one of them`;
  }
  return `KILOTOKEN_MODEL_PATH is wrong: ${modelPath} could not be loaded (${message}); it may be damaged or cut short, or of a kind that this llama.cpp does not know`;
};
