import type { ProcessIdentity } from '../process-identity.js';

/**
 * Keeps processes alive: restarts any that dies unasked, each time after a longer wait, without end. A process that lived
 * for a while starts with the short wait again.
 */

export interface ServiceProcess {
  identity: ProcessIdentity;
  /** Resolves, with the reason in words, when the process has ended. */
  exited: Promise<string>;
}

export interface Service<Running extends ServiceProcess = ServiceProcess> {
  name: string;
  start(): Promise<Running>;
  /** Rejects if the process ends first or is not ready in time. */
  waitUntilReady(process: Running, signal: AbortSignal): Promise<void>;
}

export interface SupervisorSettings {
  backoffMsMin: number;
  backoffMsMax: number;
  /** A process that lived this long resets the backoff. */
  steadyAfterMs: number;
  /** Receives each event as a sentence for the terminal. */
  onEvent: (sentence: string) => void;
  now: () => number;
  /** Resolves early when aborted. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export class SupervisedService<Running extends ServiceProcess = ServiceProcess> {
  private readonly release = new AbortController();
  private current: Running | null = null;
  private keeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly service: Service<Running>,
    private readonly settings: SupervisorSettings,
  ) {}

  get name(): string {
    return this.service.name;
  }

  /** The running process, if there is one. */
  get process(): Running | null {
    return this.current;
  }

  /** The first start. The caller gets a failure, and decides whether to go on without this process. */
  async start(): Promise<Running> {
    const running = await this.startOnce();
    await this.service.waitUntilReady(running, this.release.signal);
    if (!this.release.signal.aborted) this.keeping = this.keepAlive(running);
    return running;
  }

  /** Stops supervising: the process runs on until somebody stops it, and is not restarted. */
  async letGo(): Promise<Running | null> {
    this.release.abort();
    await this.keeping;
    return this.current;
  }

  private async startOnce(): Promise<Running> {
    const running = await this.service.start();
    this.current = running;
    void running.exited.then(() => {
      if (this.current === running) this.current = null;
    });
    return running;
  }

  private async keepAlive(first: Running): Promise<void> {
    const { backoffMsMin, backoffMsMax, steadyAfterMs, onEvent, now, wait } = this.settings;
    const { signal } = this.release;
    const released = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
    let running: Running | null = first;
    let startedMs = now();
    let backoffMs = backoffMsMin;
    while (!signal.aborted) {
      if (running) {
        const reason = await Promise.race([running.exited, released]);
        if (reason === null) return;
        if (now() - startedMs >= steadyAfterMs) backoffMs = backoffMsMin;
        onEvent(`${this.name} ended (${reason}). Restarting it in ${backoffMs / 1000} s.`);
      }
      await wait(backoffMs, signal);
      backoffMs = Math.min(backoffMs * 2, backoffMsMax);
      if (signal.aborted) return;
      startedMs = now();
      running = await this.tryRestart(backoffMs);
    }
  }

  /** Null if it could not start. A started process is supervised, ready or not. */
  private async tryRestart(nextBackoffMs: number): Promise<Running | null> {
    const { onEvent } = this.settings;
    try {
      const running = await this.startOnce();
      void this.service.waitUntilReady(running, this.release.signal).then(
        () => onEvent(`${this.name} is ready again.`),
        () => undefined, // It ended, which the loop reports, or a stop was requested.
      );
      return running;
    } catch (error) {
      onEvent(`${this.name} could not start: ${error instanceof Error ? error.message : String(error)} Next attempt in ${nextBackoffMs / 1000} s.`);
      return null;
    }
  }
}
