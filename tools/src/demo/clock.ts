import type { Clock } from '@kilotoken/platform';
import type pg from 'pg';

/**
 * Time of the demo: it stands still until it is moved, and moves in the database (`kt_now()`) and in this process alike. The owner alone can shift
 * the database's clock, and only where the database is marked as a demo or a test.
 */
export class DemoClock implements Clock {
  private ms: number;

  constructor(
    private readonly owner: pg.Pool,
    startMs: number,
  ) {
    this.ms = startMs;
  }

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  /** To a later moment. In the database time goes on from there. */
  async moveTo(ms: number): Promise<void> {
    if (ms < this.ms) throw new RangeError('the history goes forward only');
    this.ms = ms;
    // Hours rather than days: a day of a session's time zone may have 23 or 25 of them.
    await this.owner.query("UPDATE database_mark SET clock_shift = make_interval(secs => $1::float8 / 1000 - extract(epoch FROM clock_timestamp())::float8)", [ms]);
  }

  /** The database's time is the real one again. This commit waits for the disk, and with it all commits before it. */
  async release(): Promise<void> {
    await this.owner.query("SET synchronous_commit = on; UPDATE database_mark SET clock_shift = '0' WHERE clock_shift <> '0'");
  }
}
