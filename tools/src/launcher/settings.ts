import { resolve } from 'node:path';
import { engineServerOf, engineServerSettings, localModelDefaults } from '@kilotoken/inference';
import { modelIdPattern } from '@kilotoken/marketplace';
import { parseConfig, setting, ConfigError, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/** The ports of all processes, by setting. */
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
  CONTROL_DATABASE_URL: setting.databaseUrl().optional(),
  GATEWAY_DATABASE_URL: setting.databaseUrl().optional(),
  METERING_DATABASE_URL: setting.databaseUrl().optional(),
  BACKOFFICE_DATABASE_URL: setting.databaseUrl().optional(),
  API_DATABASE_URL: setting.databaseUrl().optional(),
  REDIS_URL: setting.redisUrl(),
  SMTP_URL: z.string().optional(),
  API_PUBLIC_URL: setting.publicUrl().optional(),
  KILOTOKEN_SECRET_KEY: setting.secretKeys().optional(),
  KILOTOKEN_DEMO: z.enum(['0', '1'], { error: 'must be 0 or 1' }).optional(),
  KILOTOKEN_LANES: z.string().optional(),
  KILOTOKEN_MODEL_PATH: z.string().optional(),
  KILOTOKEN_GPU: z.enum(['cuda', 'vulkan', 'metal'], { error: 'must be cuda, vulkan or metal' }).optional(),
  /** Both the worker's room for a sequence and the listing's context window, so that they agree. */
  WORKER_CONTEXT_TOKENS: setting.wholeNumber({ fallback: localModelDefaults.contextTokens, min: 64, max: 1_048_576, unit: 'tokens' }),
  ...engineServerSettings,
  WORKER_ENGINE_INPUT_PRICE: price('0.10'),
  WORKER_ENGINE_OUTPUT_PRICE: price('0.40'),
  DRAIN_MS: setting.durationMs(25_000, 0, 600_000),
  LOG_LEVEL: setting.logLevel(),
});

export type LauncherSettings = z.infer<typeof launcherSettings>;

/** Throws a ConfigError that names every wrong setting. */
export function readLauncherSettings(environment: Environment, workingFolder: string): LauncherSettings {
  const settings = parseConfig(launcherSettings, environment);
  const twice = portSettings.filter((name, index) => portSettings.findIndex((other) => settings[other] === settings[name]) < index);
  if (twice.length > 0) {
    throw new ConfigError(twice.map((name) => `${name} is wrong: another process already has port ${settings[name]}`));
  }
  if (settings.APP_DATABASE_URL && !settings.DATABASE_URL) {
    throw new ConfigError(['DATABASE_URL is not set: APP_DATABASE_URL, a login to the same database, needs it']);
  }
  const server = engineServerOf(settings);
  if (typeof server === 'string') throw new ConfigError([server]);
  if (server && !modelIdPattern.test(server.modelId)) {
    throw new ConfigError([`WORKER_ENGINE_MODEL_ID is ${settings.WORKER_ENGINE_MODEL_ID === undefined ? 'not set' : 'wrong'}: must be a name of letters, digits and . _ : / @ - to sell the model under`]);
  }
  return { ...settings, KILOTOKEN_HOME: resolve(workingFolder, settings.KILOTOKEN_HOME) };
}

/** USD per million tokens. */
function price(fallback: string) {
  const right = 'must be a decimal number of USD per million tokens, such as 0.10';
  return z.string().regex(/^\d{1,9}(\.\d{1,12})?$/, right).prefault(fallback);
}

function port(fallback: number) {
  return setting.wholeNumber({ fallback, min: 1, max: 65_535 });
}
