import { parseConfig, processSettings, readEnvironment, setting } from '@kilotoken/platform';
import { z } from 'zod';

export const apiSettings = z.object({
  ...processSettings,
  API_PORT: setting.port(8081),
  API_METRICS_PORT: setting.port(8086),
  APP_DATABASE_URL: setting.databaseUrl(),
});

export type ApiSettings = z.infer<typeof apiSettings>;

export const readApiSettings = (): ApiSettings => parseConfig(apiSettings, readEnvironment());
