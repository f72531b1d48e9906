import { partitionPeriods } from '@kilotoken/usage/partitions';
import { parseConfig, processSettings, readEnvironment, setting } from '@kilotoken/platform';
import { z } from 'zod';

const shardCount = 16;
const allShards = Array.from({ length: shardCount }, (_, shard) => shard);

/** Shards by their numbers, such as 0,1,2. All: any number of raters may rate all of them, and divide them for speed only. */
const shards = () =>
  z
    .string()
    .regex(/^\d{1,2}(,\d{1,2})*$/, `numbers from 0 to ${shardCount - 1} with commas between them are needed`)
    .transform((text) => text.split(',').map(Number))
    .refine((numbers) => numbers.every((shard) => shard < shardCount), `there are the shards 0 to ${shardCount - 1}`)
    .default(allShards);

export const meteringSettings = z.object({
  ...processSettings,
  METERING_PORT: setting.port(8082),
  APP_DATABASE_URL: setting.databaseUrl(),
  /** After this long without a heartbeat a gateway's session is reaped. The same as the gateways'. */
  SESSION_TTL_MS: setting.durationMs(15_000, 1_000, 600_000),
  /** Pause between two ratings. */
  RATING_PAUSE_MS: setting.durationMs(5_000, 10, 60_000),
  /** Which shards of the account trees this process rates. */
  RATING_SHARDS: shards(),
  /** Older unrated usage than this makes the process not ready. */
  RATING_LAG_MS_MAX: setting.durationMs(60_000, 1_000, 3_600_000),
  /** Pause between two additions to the rollups. */
  ROLLUP_PAUSE_MS: setting.durationMs(10_000, 10, 60_000),
  /** How long rollups by the minute are kept; quarters of an hour and days stay. */
  ROLLUP_MINUTES_KEPT_DAYS: setting.wholeNumber({ fallback: 35, min: 2, max: 3_650, unit: 'days' }),
  /** What new partitions of usage are made of, and for how many days ahead they are there. */
  USAGE_PARTITION_PERIOD: z.enum(partitionPeriods, { error: 'month or day is needed' }).prefault('month'),
  USAGE_PARTITION_AHEAD_DAYS: setting.wholeNumber({ fallback: 100, min: 2, max: 700, unit: 'days' }),
});

export type MeteringSettings = z.infer<typeof meteringSettings>;

export const readMeteringSettings = (): MeteringSettings => parseConfig(meteringSettings, readEnvironment());
