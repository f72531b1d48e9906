import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError, parseConfig, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/**
 * The settings of the command line.
 * @public The test of `.env.example` reads them.
 */
export const ktSettings = z.object({
  DATABASE_URL: setting.databaseUrl().optional(),
  CONTROL_DATABASE_URL: setting.databaseUrl().optional(),
  KILOTOKEN_HOME: z.string().prefault('.kilotoken'),
  /** `partitions` checks the lower bound: it stands in a library that other commands should not wait to load. */
  USAGE_RETENTION_DAYS: setting.wholeNumber({ min: 1, max: 36_500, unit: 'days' }).optional(),
  KILOTOKEN_SECRET_KEY: setting.secretKeys().optional(),
  WEBHOOK_ALLOW_PRIVATE: z.enum(['0', '1'], { error: 'must be 0 or 1' }).prefault('0'),
});

export interface KtConfig {
  /** The owner's login: `DATABASE_URL`, or the one of the installation in `KILOTOKEN_HOME`. */
  findDatabaseUrl(): string;
  /** The control plane's login: `CONTROL_DATABASE_URL`, or the installation's; falls back to the owner's login until a start has made one. */
  findControlUrl(): string;
  /** `KILOTOKEN_SECRET_KEY`, or the installation's own key; null where neither is there. */
  findSecretKeys(): readonly string[] | null;
  readonly allowPrivateWebhooks: boolean;
  /** Null keeps usage for ever. */
  readonly usageRetentionDays: number | null;
  /** Lanes name the variables that hold vendors' keys. */
  readVariable(name: string): string | undefined;
}

const quickstartSchema = z.object({ databaseUrl: setting.databaseUrl(), controlDatabaseUrl: setting.databaseUrl().nullish() });

/** Throws a ConfigError. The database's address is resolved when a command first needs it, so that `--help` works without one. */
export const readKtConfig = (environment: Environment, processFolder: string): KtConfig => {
  const { DATABASE_URL: databaseUrl, CONTROL_DATABASE_URL: controlUrl, KILOTOKEN_HOME: home, USAGE_RETENTION_DAYS: usageRetentionDays = null, WEBHOOK_ALLOW_PRIVATE, KILOTOKEN_SECRET_KEY: secretKeys } = parseConfig(ktSettings, environment);
  const quickstart = join(resolve(processFolder, home), 'quickstart.json');
  const findControlUrl = (): string => {
    if (controlUrl ?? databaseUrl) return controlUrl ?? databaseUrl!;
    const known = readQuickstart(quickstart);
    return known.controlDatabaseUrl ?? known.databaseUrl;
  };
  return {
    findSecretKeys: () => secretKeys ?? readSecretKeys(join(resolve(processFolder, home), 'secrets.json')),
    allowPrivateWebhooks: WEBHOOK_ALLOW_PRIVATE === '1',
    usageRetentionDays,
    findDatabaseUrl: () => databaseUrl ?? readQuickstart(quickstart).databaseUrl,
    findControlUrl,
    readVariable: (name) => environment[name],
  };
};

const readQuickstart = (file: string): z.infer<typeof quickstartSchema> => {
  try {
    return quickstartSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'does not hold its address';
    throw new AppError({
      code: 'database_unknown',
      kind: 'unavailable',
      publicMessage: `The database's address is unknown: DATABASE_URL is not set, and ${file} ${reason}. Start Kilotoken (npm start), or set DATABASE_URL or KILOTOKEN_HOME.`,
    });
  }
};

const secretsSchema = z.object({ secretKey: z.string() });

const readSecretKeys = (file: string): readonly string[] | null => {
  try {
    return secretsSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).secretKey.split(',');
  } catch {
    // No installation here, or one that has no key yet.
    return null;
  }
};
