import { parseConfig, processSettings, readEnvironment, setting } from '@kilotoken/platform';
import { z } from 'zod';

export const backofficeSettings = z.object({
  ...processSettings,
  BACKOFFICE_PORT: setting.port(8083),
  APP_DATABASE_URL: setting.databaseUrl(),
  // Queued work lives in Postgres; the address of a Redis is checked already, so that a typo is found before it matters.
  REDIS_URL: setting.redisUrl(),
});

export type BackofficeSettings = z.infer<typeof backofficeSettings>;

export const readBackofficeSettings = (): BackofficeSettings => parseConfig(backofficeSettings, readEnvironment());
