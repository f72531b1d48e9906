import { Injectable } from '@nestjs/common';
import { Repetition, sqlStateOf, type Db } from '@kilotoken/platform';
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
  private readonly repetition: Repetition;

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
  ) {
    const onError = (error: unknown): void => logger.warn({ event: 'grants.refund_failed', sqlState: sqlStateOf(error), error });
    this.repetition = new Repetition({ once: () => this.look().then(() => lookMs), onError });
  }

  start(): void {
    this.repetition.start();
  }

  async stop(): Promise<void> {
    await this.repetition.stop();
  }

  private async look(): Promise<void> {
    const closed = await closeGrants(this.pool, grantsPerLookMax);
    if (closed > 0) this.logger.info({ event: 'grants.refunded', grants: closed });
  }
}
