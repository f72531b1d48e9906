import { parseConfig, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/** @public Read by the test of `.env.example`. */
export const migrateSettings = z.object({
  DATABASE_URL: setting.databaseUrl(),
  APP_DATABASE_URL: setting.databaseUrl().optional(),
  AUDIT_DATABASE_URL: setting.databaseUrl().optional(),
  CONTROL_DATABASE_URL: setting.databaseUrl().optional(),
  /** One a service; `APP_DATABASE_URL` is one for gateway, metering and backoffice together. */
  GATEWAY_DATABASE_URL: setting.databaseUrl().optional(),
  METERING_DATABASE_URL: setting.databaseUrl().optional(),
  BACKOFFICE_DATABASE_URL: setting.databaseUrl().optional(),
  API_DATABASE_URL: setting.databaseUrl().optional(),
});

export type MigrateSettings = z.infer<typeof migrateSettings>;

/** Throws a ConfigError. */
export const readMigrateSettings = (environment: Environment): MigrateSettings => parseConfig(migrateSettings, environment);
