import { Injectable } from '@nestjs/common';
import type { PlatformQueue } from '@kilotoken/contracts';
import { PollLoop, sqlStateOf } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { enqueueNight } from './outbox.store.js';

/** A job of the platform that is due once a night. */
export interface NightlyJob {
  /** Lower-case letters and dashes; unique. */
  readonly name: string;
  readonly queue: PlatformQueue;
  /** `03:15`, in UTC. A night that was missed is made up for as soon as a process is there, until the next one begins. */
  readonly at: string;
}

const atPattern = /^([01]\d|2[0-3]):([0-5]\d)$/;

const minuteOf = (at: string): number => {
  const [, hours, minutes] = atPattern.exec(at) ?? [];
  if (hours === undefined || minutes === undefined) throw new RangeError(`not a time of day: ${at}`);
  return Number(hours) * 60 + Number(minutes);
};

/** Enqueues each night's jobs once, however many processes look. How often a job is tried and how long it may take, its queue says. */
@Injectable()
export class NightlyService {
  private readonly nights: readonly { readonly name: string; readonly queue: PlatformQueue; readonly minute: number }[];
  private readonly loop: PollLoop;

  constructor(
    nights: readonly NightlyJob[],
    private readonly pool: Pool,
    private readonly logger: Logger,
    pauseMs: number,
  ) {
    this.nights = nights.map(({ name, queue, at }) => ({ name, queue, minute: minuteOf(at) }));
    if (new Set(nights.map(({ name }) => name)).size < nights.length) throw new RangeError('two nightly jobs have one name');
    const onError = (error: unknown): void => logger.warn({ event: 'nightly.failed', sqlState: sqlStateOf(error), error });
    this.loop = new PollLoop({ once: () => this.enqueueDue().then(() => pauseMs), onError });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  async enqueueDue(): Promise<void> {
    for (const night of this.nights) {
      if (await enqueueNight(this.pool, night)) this.logger.info({ event: 'nightly.enqueued', name: night.name, queue: night.queue });
    }
  }
}
