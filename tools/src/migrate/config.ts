import { parseConfig, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/** @public Read by the test of `.env.example`. */
export const migrateSettings = z.object({
  DATABASE_URL: setting.databaseUrl(),
  APP_DATABASE_URL: setting.databaseUrl().optional(),
  AUDIT_DATABASE_URL: setting.databaseUrl().optional(),
});

export type MigrateSettings = z.infer<typeof migrateSettings>;

/** Throws a ConfigError. */
export const readMigrateSettings = (environment: Environment): MigrateSettings => parseConfig(migrateSettings, environment);
