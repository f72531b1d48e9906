import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Repetition, sqlStateOf } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { claimNight, endNight } from './nightly.store.js';

/** Something that is done once a night, by one process, however many there are. */
export interface NightlyJob {
  /** Small letters and dashes; unique. */
  readonly name: string;
  /** `03:15`, in UTC. A night that was missed is made up for as soon as a process is there, until the next one begins. */
  readonly at: string;
  /** Longer than it ever takes: after that another process may begin it again. */
  readonly claimMs: number;
  /** May run twice for one night, seldom and one after the other. What it answers is kept and logged; throwing means failure. */
  run(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
}

export type OnNightEnd = (name: string, ok: boolean, latencyMs: number) => void;

const attemptsMax = 3;
const retryMs = 10 * 60_000;
const atPattern = /^([01]\d|2[0-3]):([0-5]\d)$/;

/** Runs nightly work, one job after another. The claim is a row in Postgres: no queue is needed, and none can lose it. */
@Injectable()
export class NightlyService {
  private readonly jobs: { readonly job: NightlyJob; readonly minute: number }[] = [];
  private readonly repetition: Repetition;

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
    pauseMs: number,
    private readonly onEnd: OnNightEnd = () => undefined,
  ) {
    const onError = (error: unknown): void => logger.warn({ event: 'nightly.failed', sqlState: sqlStateOf(error), error });
    this.repetition = new Repetition({ once: (signal) => this.runDue(signal).then(() => pauseMs), onError });
  }

  /** Before `start`. */
  scheduleNightly(job: NightlyJob): void {
    const [, hours, minutes] = atPattern.exec(job.at) ?? [];
    if (hours === undefined || minutes === undefined) throw new RangeError(`not a time of day: ${job.at}`);
    if (this.jobs.some((other) => other.job.name === job.name)) throw new RangeError(`${job.name} is scheduled already`);
    this.jobs.push({ job, minute: Number(hours) * 60 + Number(minutes) });
  }

  start(): void {
    if (this.jobs.length > 0) this.repetition.start();
  }

  /** Asks what runs to end, and waits for it. */
  async stop(): Promise<void> {
    await this.repetition.stop();
  }

  async runDue(signal: AbortSignal): Promise<void> {
    for (const { job, minute } of this.jobs) {
      if (signal.aborted) return;
      const claimId = randomUUID();
      const night = await claimNight(this.pool, { name: job.name, minute, claimId, claimMs: job.claimMs, attemptsMax });
      if (night !== null) await this.runNight(job, night, claimId, signal);
    }
  }

  private async runNight(job: NightlyJob, night: string, claimId: string, signal: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    const { ok, outcome } = await this.attempt(job, signal);
    await endNight(this.pool, { name: job.name, night, claimId, ok, outcome, retryMs });
    const latencyMs = Math.round(performance.now() - startedMs);
    this.onEnd(job.name, ok, latencyMs);
    const line = { event: 'nightly.ended', name: job.name, night, ok, outcome, latencyMs };
    if (ok) this.logger.info(line);
    else this.logger.error(line);
  }

  private async attempt(job: NightlyJob, signal: AbortSignal): Promise<{ ok: boolean; outcome: Readonly<Record<string, unknown>> }> {
    try {
      return { ok: true, outcome: await job.run(signal) };
    } catch (error) {
      this.logger.error({ event: 'nightly.threw', name: job.name, error });
      return { ok: false, outcome: { reason: error instanceof Error ? `threw ${error.name}` : 'threw' } };
    }
  }
}
