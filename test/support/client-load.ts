import type { ChatOptions, ClientLog, ClientLogEntry } from './client-log.js';
import type { VendorScript } from './vendor-script.js';

/** Keeps a number of requests running until it is told to stop; what each got is in the client's log. */
export interface Load {
  /** Requests that run now. */
  inFlight(): number;
  /** No new request is begun; resolves when the last has ended. */
  stop(): Promise<void>;
}

export interface LoadOptions extends Omit<ChatOptions, 'baseUrl' | 'script'> {
  baseUrls: readonly string[];
  concurrency: number;
  /** The script of the n-th request. */
  script: (request: number) => VendorScript;
  /** Which of the n-th request's answers stream; every other one unless said otherwise. */
  streams?: (request: number) => boolean;
}

/** A server that is away answers within microseconds: without a pause its clients would do nothing else on two cores. */
const PAUSE_AFTER_FAILURE_MS = 50;

export function startLoad(client: ClientLog, options: LoadOptions): Load {
  const { baseUrls, concurrency, script, streams = (request) => request % 2 === 0, ...chat } = options;
  let stopping = false;
  let begun = 0;
  let inFlight = 0;
  const work = async (worker: number): Promise<void> => {
    while (!stopping) {
      const request = (begun += 1);
      inFlight += 1;
      const entry: ClientLogEntry = await client.chat({ ...chat, baseUrl: baseUrls[(worker + request) % baseUrls.length]!, stream: streams(request), script: script(request) });
      inFlight -= 1;
      if (!entry.completed) await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
    }
  };
  const workers = Array.from({ length: concurrency }, (_, worker) => work(worker));
  return {
    inFlight: () => inFlight,
    stop: async () => {
      stopping = true;
      await Promise.all(workers);
    },
  };
}
