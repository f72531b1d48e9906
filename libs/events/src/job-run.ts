import type { JobOutcome } from './queue-table.js';

interface Bounds {
  readonly timeoutMs: number;
  /** Aborts the run's signal; the run ends by itself, soon. */
  readonly ending?: AbortSignal;
  readonly renewal: {
    readonly everyMs: number;
    /** Answers false when the run lost its job. */
    readonly renew: () => Promise<boolean>;
    readonly onError: (error: unknown) => void;
  };
}

/**
 * Runs a job within its time, and renews its claim meanwhile. A run that takes too long, or lost its job, is left alone with an
 * aborted signal: it must not hold its place in the queue.
 */
export const runBounded = async (run: (signal: AbortSignal) => Promise<JobOutcome>, { timeoutMs, ending, renewal }: Bounds): Promise<JobOutcome> => {
  const aborting = new AbortController();
  const end = (): void => aborting.abort();
  let giveUp = (_reason: string): void => undefined;
  const givenUp = new Promise<JobOutcome>((resolve) => {
    giveUp = (reason) => {
      end();
      resolve({ ok: false, reason });
    };
  });
  const renew = (): void => {
    renewal.renew().then((isKept) => isKept || giveUp('another run has the job'), renewal.onError);
  };
  const timeout = setTimeout(() => giveUp(`took longer than ${timeoutMs / 1_000} s`), timeoutMs);
  const renewing = setInterval(renew, renewal.everyMs);
  if (ending?.aborted) end();
  ending?.addEventListener('abort', end);
  try {
    return await Promise.race([run(aborting.signal), givenUp]);
  } finally {
    clearTimeout(timeout);
    clearInterval(renewing);
    ending?.removeEventListener('abort', end);
  }
};
