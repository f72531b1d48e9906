import { pruneOutbox, type NightlyService } from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { BackofficeSettings } from './config.js';

const hourMs = 3_600_000;
const rowsPerPruneMax = 2_000;

/** What is done at night, each at a time of its own. */
export const scheduleNights = ({ settings }: Platform<BackofficeSettings>, pool: Pool, nights: NightlyService): NightlyService => {
  nights.scheduleNightly({ name: 'prune-events', at: '02:10', claimMs: hourMs, run: (signal) => pruneEvents(pool, settings.EVENTS_KEPT_DAYS, signal) });
  return nights;
};

const pruneEvents = async (pool: Pool, days: number, signal: AbortSignal): Promise<{ rows: number }> => {
  let rows = 0;
  for (let gone = -1; gone !== 0 && !signal.aborted; ) {
    gone = await pruneOutbox(pool, days, rowsPerPruneMax);
    rows += gone;
  }
  return { rows };
};
