/**
 * Does something again and again, one after the other, with a pause between, until it is stopped. An error is told and does not
 * end it: what failed is looked at again after the pause.
 */
export interface RepetitionSettings {
  readonly pauseMs: number;
  /** Answers whether there is more to do at once. The signal ends when it is time to stop. */
  readonly once: (signal: AbortSignal) => Promise<boolean>;
  readonly onError: (error: unknown) => void;
}

const pauseAfterErrorMsMin = 1_000;

export class Repetition {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly settings: RepetitionSettings) {}

  start(): void {
    this.running = this.run();
  }

  /** Waits for what is being done. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { pauseMs, once, onError } = this.settings;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let waitMs = pauseMs;
      try {
        if (await once(signal)) waitMs = 0;
      } catch (error) {
        onError(error);
        waitMs = Math.max(pauseMs, pauseAfterErrorMsMin);
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
