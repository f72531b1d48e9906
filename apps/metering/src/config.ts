import { partitionPeriods } from '@kilotoken/usage/partitions';
import { parseConfig, processSettings, readEnvironment, setting } from '@kilotoken/platform';
import { z } from 'zod';

const shardCount = 16;
const allShards = Array.from({ length: shardCount }, (_, shard) => shard);

/** Shard numbers such as 0,1,2; all by default. Any number of raters may rate the same shards; dividing them only adds speed. */
const shards = () =>
  z
    .string()
    .regex(/^\d{1,2}(,\d{1,2})*$/, `must be numbers from 0 to ${shardCount - 1}, separated by commas`)
    .transform((text) => text.split(',').map(Number))
    .refine((numbers) => numbers.every((shard) => shard < shardCount), `must be numbers from 0 to ${shardCount - 1}, separated by commas`)
    .default(allShards);

export const meteringSettings = z.object({
  ...processSettings,
  METERING_PORT: setting.port(8082),
  APP_DATABASE_URL: setting.databaseUrl(),
  /** A gateway's session without a heartbeat for this long is reaped. Set it as on the gateways. */
  SESSION_TTL_MS: setting.durationMs(15_000, 1_000, 600_000),
  /** Pause between two ratings. */
  RATING_PAUSE_MS: setting.durationMs(5_000, 10, 60_000),
  /** The shards of the account trees that this process rates. */
  RATING_SHARDS: shards(),
  /** Unrated usage older than this makes the process not ready. */
  RATING_LAG_MS_MAX: setting.durationMs(60_000, 1_000, 3_600_000),
  /** Pause between two additions to the rollups. */
  ROLLUP_PAUSE_MS: setting.durationMs(10_000, 10, 60_000),
  /** How long rollups by minute are kept; those by quarter of an hour and by day stay. */
  ROLLUP_MINUTES_KEPT_DAYS: setting.wholeNumber({ fallback: 35, min: 2, max: 3_650, unit: 'days' }),
  /** The period of new partitions of usage, and the days for which they exist ahead. */
  USAGE_PARTITION_PERIOD: z.enum(partitionPeriods, { error: 'must be month or day' }).prefault('month'),
  USAGE_PARTITION_AHEAD_DAYS: setting.wholeNumber({ fallback: 100, min: 2, max: 700, unit: 'days' }),
});

export type MeteringSettings = z.infer<typeof meteringSettings>;

export const readMeteringSettings = (): MeteringSettings => parseConfig(meteringSettings, readEnvironment());
