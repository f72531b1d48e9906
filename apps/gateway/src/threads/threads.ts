import { createInlineOffload, createOffload, type Offload } from '@kilotoken/platform/offload';
import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type * as jobs from './jobs.js';

/**
 * The worker threads of this gateway: for reading large bodies and counting long texts, which would hold up every other
 * request on the event loop. A caller names the API key that the work is for; keys take turns.
 */
export type Threads = Offload<typeof jobs>;

/** Jobs that may wait for a thread; what exceeds them is refused with 503. The bytes that they keep are bounded by the body meter. */
const waitingMax = 1_024;
const waitingPerKeyMax = 256;
/** Far above what the largest body takes on a busy machine; a job that takes longer loses its thread. */
const jobMsMax = 60_000;
/** A body of 20 MB becomes at most some 300 MB of objects. */
const heapMbMax = 1_024;

/** One thread where there are two cores, two where there are more: the event loop keeps a core of its own. */
export const defaultThreads = (): number => Math.max(1, Math.min(2, availableParallelism() - 1));

export const openThreads = (threadsMax: number, logger: Logger): Threads => {
  const workerFile = new URL(import.meta.url.endsWith('.ts') ? '../intake/reading.jobs.ts' : './jobs.js', import.meta.url);
  // From source there is no file that a thread could load.
  if (workerFile.pathname.endsWith('.ts')) return createInlineOffload(async () => import('./jobs.js'));
  return createOffload({
    workerFile,
    threadsMax,
    waitingMax,
    waitingPerTenantMax: waitingPerKeyMax,
    jobMsMax,
    heapMbMax,
    onError: (error) => logger.error({ event: 'threads.failed', error }),
  });
};
