import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError, parseConfig, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/** The settings of the command line. */
/** @public Read by the test of `.env.example`. */
export const ktSettings = z.object({
  DATABASE_URL: setting.databaseUrl().optional(),
  CONTROL_DATABASE_URL: setting.databaseUrl().optional(),
  KILOTOKEN_HOME: z.string().prefault('.kilotoken'),
  /** The command that reads it refuses what is too short; its bound stands in a library that others should not wait for. */
  USAGE_RETENTION_DAYS: setting.wholeNumber({ min: 1, max: 36_500, unit: 'days' }).optional(),
  WEBHOOK_ALLOW_PRIVATE: z.enum(['0', '1'], { error: '0 or 1 is needed' }).prefault('0'),
});

export interface KtConfig {
  /** The owner's login: `DATABASE_URL`, or that of the installation in `KILOTOKEN_HOME`. */
  findDatabaseUrl(): string;
  /** The control plane's login: `CONTROL_DATABASE_URL`, or that of the installation; the owner's, where nobody has made it yet. */
  findControlUrl(): string;
  readonly allowPrivateWebhooks: boolean;
  /** Null: usage stays for ever. */
  readonly usageRetentionDays: number | null;
  /** Vendors' keys are in variables that lanes name. */
  readVariable(name: string): string | undefined;
}

const quickstartSchema = z.object({ databaseUrl: setting.databaseUrl(), controlDatabaseUrl: setting.databaseUrl().nullish() });

/** Throws a ConfigError. The database is looked for when a command needs one, so that `--help` needs none. */
export const readKtConfig = (environment: Environment, processFolder: string): KtConfig => {
  const { DATABASE_URL: databaseUrl, CONTROL_DATABASE_URL: controlUrl, KILOTOKEN_HOME: home, USAGE_RETENTION_DAYS: usageRetentionDays = null, WEBHOOK_ALLOW_PRIVATE } = parseConfig(ktSettings, environment);
  const quickstart = join(resolve(processFolder, home), 'quickstart.json');
  const findControlUrl = (): string => {
    if (controlUrl ?? databaseUrl) return controlUrl ?? databaseUrl!;
    const known = readQuickstart(quickstart);
    return known.controlDatabaseUrl ?? known.databaseUrl;
  };
  return {
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
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'does not say where the database is';
    throw new AppError({
      code: 'database_unknown',
      kind: 'unavailable',
      publicMessage: `No database is known: DATABASE_URL is not set, and ${file} ${reason}. Start Kilotoken (npm start), or set DATABASE_URL or KILOTOKEN_HOME.`,
    });
  }
};
