import { Injectable } from '@nestjs/common';
import { PollLoop, sqlStateOf, type Db } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';

const lookMs = 1_000;
const refundsPerLookMax = 100;
const expireMs = 10_000;
const expiredPerLookMax = 1_000;

const finishRefunds = async (db: Db, limit: number): Promise<number> => {
  const { rows } = await db.query<{ closed: number }>('SELECT grants_close($1) AS closed', [limit]);
  return rows[0]!.closed;
};

const expireGrants = async (db: Db, limit: number): Promise<number> => {
  const { rows } = await db.query<{ expired: number }>('SELECT grants_expire($1) AS expired', [limit]);
  return rows[0]!.expired;
};

/**
 * Ends grants: finishes a refund once gateways have returned their leases of the grant, and expires grants that are past their time. Several
 * may run at once: a lock in the database lets one of them work.
 */
@Injectable()
export class GrantEndService {
  private readonly loops: readonly PollLoop[];

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
  ) {
    const warn = (event: string) => (error: unknown): void => logger.warn({ event, sqlState: sqlStateOf(error), error });
    this.loops = [
      new PollLoop({ once: () => this.finishRefunds().then(() => lookMs), onError: warn('grants.refund_failed') }),
      new PollLoop({ once: () => this.expire().then(() => expireMs), onError: warn('expiry.failed') }),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** Once, of grants that nobody leases any more. */
  async finishRefunds(): Promise<void> {
    const closed = await finishRefunds(this.pool, refundsPerLookMax);
    if (closed > 0) this.logger.info({ event: 'grants.refunded', grants: closed });
  }

  /** Once, of grants that are past their time. */
  async expire(): Promise<void> {
    const expired = await expireGrants(this.pool, expiredPerLookMax);
    if (expired > 0) this.logger.info({ event: 'grants.expired', grants: expired });
  }
}
