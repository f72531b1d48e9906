import { resolve } from 'node:path';
import { localModelDefaults } from '@kilotoken/inference';
import { parseConfig, setting, ConfigError, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/** The ports that the launcher hands out, by the setting that names them. */
const ports = {
  GATEWAY_PORT: port(8080),
  API_PORT: port(8081),
  METERING_PORT: port(8082),
  BACKOFFICE_PORT: port(8083),
  WORKER_PORT: port(8084),
  GATEWAY_METRICS_PORT: port(8085),
  API_METRICS_PORT: port(8086),
};
export type PortSetting = keyof typeof ports;
export const portSettings = Object.keys(ports) as PortSetting[];

export const launcherSettings = z.object({
  ...ports,
  HOST: setting.host(),
  KILOTOKEN_HOME: z.string().prefault('.kilotoken'),
  POSTGRES_PORT: setting.wholeNumber({ min: 1, max: 65_535 }).optional(),
  DATABASE_URL: setting.databaseUrl().optional(),
  APP_DATABASE_URL: setting.databaseUrl().optional(),
  AUDIT_DATABASE_URL: setting.databaseUrl().optional(),
  REDIS_URL: setting.redisUrl(),
  KILOTOKEN_DEMO: z.enum(['0', '1'], { error: '0 or 1 is needed' }).optional(),
  KILOTOKEN_LANES: z.string().optional(),
  KILOTOKEN_MODEL_PATH: z.string().optional(),
  KILOTOKEN_GPU: z.enum(['cuda', 'vulkan', 'metal'], { error: 'cuda, vulkan or metal is needed' }).optional(),
  /** What the worker gives each sequence of the local model is what its listing promises. */
  WORKER_CONTEXT_TOKENS: setting.wholeNumber({ fallback: localModelDefaults.contextTokens, min: 64, max: 1_048_576, unit: 'tokens' }),
  DRAIN_MS: setting.durationMs(25_000, 0, 600_000),
  LOG_LEVEL: setting.logLevel(),
});

export type LauncherSettings = z.infer<typeof launcherSettings>;

/** Throws a ConfigError that names every wrong setting. */
export function readLauncherSettings(environment: Environment, workingFolder: string): LauncherSettings {
  const settings = parseConfig(launcherSettings, environment);
  const twice = portSettings.filter((name, index) => portSettings.findIndex((other) => settings[other] === settings[name]) < index);
  if (twice.length > 0) {
    throw new ConfigError(twice.map((name) => `${name} is wrong: port ${settings[name]} is given to another process already`));
  }
  if (settings.APP_DATABASE_URL && !settings.DATABASE_URL) {
    throw new ConfigError(['DATABASE_URL is not set: APP_DATABASE_URL is the login of the applications in that database, and means nothing without it']);
  }
  return { ...settings, KILOTOKEN_HOME: resolve(workingFolder, settings.KILOTOKEN_HOME) };
}

function port(fallback: number) {
  return setting.wholeNumber({ fallback, min: 1, max: 65_535 });
}
