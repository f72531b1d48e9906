import { setTimeout as pause } from 'node:timers/promises';
import type { BackendWorker } from './queue-backend.js';

/** The pause after the store did not answer. A drain waits for it to end. */
export const reconnectPauseMs = 1_000;

interface ReconnectingWorkerSettings {
  /** Rejects when the store does not answer. */
  readonly check: () => Promise<void>;
  /** Makes a worker that does not run by itself. */
  readonly make: () => BackendWorker;
  readonly onError: (error: unknown) => void;
}

/**
 * Begins once its store answers. BullMQ's worker stays broken for good if Postgres was away when it was made: it never works, and asks
 * for jobs without a pause, which starves the process until it handles no signal.
 */
export class ReconnectingWorker {
  private worker: BackendWorker | null = null;
  private isClosing = false;

  constructor(private readonly settings: ReconnectingWorkerSettings) {
    void this.begin();
  }

  isWorking(): boolean {
    return this.worker !== null && !this.isClosing;
  }

  /** Takes no more jobs and waits for running ones, unless it is forced. */
  async close(force = false): Promise<void> {
    this.isClosing = true;
    await this.worker?.close(force);
  }

  private async begin(): Promise<void> {
    const { onError } = this.settings;
    while (!this.isClosing) {
      try {
        const worker = await this.makeReady();
        if (this.isClosing) return await worker.close(true);
        this.worker = worker;
        await worker.run();
        return;
      } catch (error) {
        onError(error);
        await this.worker?.close(true).catch(onError);
        this.worker = null;
        await pause(reconnectPauseMs, undefined, { ref: false });
      }
    }
  }

  private async makeReady(): Promise<BackendWorker> {
    const { check, make, onError } = this.settings;
    await check();
    const worker = make();
    try {
      await worker.waitUntilReady();
    } catch (error) {
      await worker.close(true).catch(onError);
      throw error;
    }
    return worker;
  }
}
