/**
 * Does something again and again, one after the other, with a pause between, until it is stopped. An error is told and does not
 * end it: what failed is looked at again after the pause.
 */
export interface RepetitionSettings {
  /** Answers how many milliseconds to wait before the next time. The signal ends when it is time to stop. */
  readonly once: (signal: AbortSignal) => Promise<number>;
  readonly onError: (error: unknown) => void;
  /** A second unless said otherwise. */
  readonly pauseAfterErrorMs?: number;
}

const secondMs = 1_000;

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
