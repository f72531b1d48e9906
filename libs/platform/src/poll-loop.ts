import { setTimeout as sleep } from 'node:timers/promises';

export interface PollLoopSettings {
  /** Resolves with the milliseconds until the next call. The signal aborts when the loop stops. */
  readonly once: (signal: AbortSignal) => Promise<number>;
  readonly onError: (error: unknown) => void;
  /** A second by default. */
  readonly pauseAfterErrorMs?: number;
}

const secondMs = 1_000;

/** Calls `once` repeatedly, one call at a time with a pause between, until it is stopped. An error is reported and does not end the loop. */
export class PollLoop {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly settings: PollLoopSettings) {}

  start(): void {
    this.running = this.run();
  }

  /** Waits for the running call. */
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
      // An aborted sleep rejects; the loop then ends by its condition.
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
