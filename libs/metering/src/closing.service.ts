import { Injectable } from '@nestjs/common';
import { sqlStateOf, type Db } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';

const lookMs = 1_000;
const grantsPerLookMax = 100;

const closeGrants = async (db: Db, limit: number): Promise<number> => {
  const { rows } = await db.query<{ closed: number }>('SELECT grants_close($1) AS closed', [limit]);
  return rows[0]!.closed;
};

/** Finishes refunds once gateways have returned what they leased of the grant. Several may run: the database lets one of them do it. */
@Injectable()
export class ClosingService {
  private timer: NodeJS.Timeout | undefined;
  private busy = false;

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), lookMs);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const closed = await closeGrants(this.pool, grantsPerLookMax);
      if (closed > 0) this.logger.info({ event: 'grants.refunded', grants: closed });
    } catch (error) {
      this.logger.warn({ event: 'grants.refund_failed', sqlState: sqlStateOf(error), error });
    } finally {
      this.busy = false;
    }
  }
}
