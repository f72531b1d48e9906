import { Injectable } from '@nestjs/common';
import { changeThrough, PollLoop, sqlStateOf, type ControlPool } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { conflict, parseInput } from './events.errors.js';
import { noticeChangeSchema, thresholdsMax, type NoticeChange, type NoticeSettings } from './notice.js';
import { checkBalances, findNoticeAddress, listThresholds, writeNoticeAddress, writeThreshold, type BalancePlace } from './notice.store.js';

export const getNoticeSettings = async (pool: Pool, organizationId: string): Promise<NoticeSettings> => ({
  organizationId,
  email: await findNoticeAddress(pool, organizationId),
  thresholds: await listThresholds(pool, organizationId),
});

/** Throws `events_invalid` or `notice_thresholds_full`. Needs the control plane's login. */
export const setNotices = async (pool: ControlPool, change: NoticeChange): Promise<NoticeSettings> => {
  const { organizationId, email, balanceLow } = parseInput(noticeChangeSchema, change);
  await changeThrough(pool, organizationId, async (db) => {
    if (email !== undefined) await writeNoticeAddress(db, organizationId, email);
    if (!balanceLow) return;
    const known = await listThresholds(db, organizationId);
    if (known.length >= thresholdsMax && !known.some(({ unit }) => unit === balanceLow.unit)) {
      throw conflict('notice_thresholds_full', `An organization has thresholds for at most ${thresholdsMax} units.`, { max: thresholdsMax });
    }
    await writeThreshold(db, organizationId, balanceLow.unit, balanceLow.threshold);
  });
  return getNoticeSettings(pool, organizationId);
};

const balancesPerCheckMax = 500;

/** Checks every balance that has a threshold, round after round; each fall below its threshold becomes one event. */
@Injectable()
export class BalanceWatchService {
  private readonly loop: PollLoop;
  private after: BalancePlace | null = null;

  constructor(
    private readonly pool: Pool,
    logger: Logger,
    pauseMs: number,
  ) {
    const onError = (error: unknown): void => logger.warn({ event: 'balances.failed', sqlState: sqlStateOf(error), error });
    this.loop = new PollLoop({ once: async () => ((await this.checkOnce()) ? 0 : pauseMs), onError });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Checks the next balances; answers whether the round has more. */
  async checkOnce(): Promise<boolean> {
    const { checked, last } = await checkBalances(this.pool, this.after, balancesPerCheckMax);
    const isMore = checked === balancesPerCheckMax;
    this.after = isMore ? last : null;
    return isMore;
  }
}
