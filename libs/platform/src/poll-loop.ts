export interface PollLoopSettings {
  /** Answers how many milliseconds to wait before the next call. The signal aborts when the loop is stopped. */
  readonly once: (signal: AbortSignal) => Promise<number>;
  readonly onError: (error: unknown) => void;
  /** A second by default. */
  readonly pauseAfterErrorMs?: number;
}

const secondMs = 1_000;

/** Calls `once` again and again, one call at a time, with a pause between, until it is stopped. An error is reported and does not end the loop. */
export class PollLoop {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly settings: PollLoopSettings) {}

  start(): void {
    this.running = this.run();
  }

  /** Waits for the call that runs. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { once, onError, pauseAfterErrorMs = secondMs } = this.settings;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let waitMs = pauseAfterErrorMs;
      try {
        waitMs = await once(signal);
      } catch (error) {
        onError(error);
      }
      if (waitMs > 0) await pauseUnless(signal, waitMs);
    }
  }
}

const pauseUnless = (signal: AbortSignal, waitMs: number): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    signal.addEventListener('abort', end);
  });
