import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError, parseConfig, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';

/** The settings of the command line. */
/** @public Read by the test of `.env.example`. */
export const ktSettings = z.object({
  DATABASE_URL: setting.databaseUrl().optional(),
  KILOTOKEN_HOME: z.string().prefault('.kilotoken'),
  WEBHOOK_ALLOW_PRIVATE: z.enum(['0', '1'], { error: '0 or 1 is needed' }).prefault('0'),
});

export interface KtConfig {
  /** The owner's login: `DATABASE_URL`, or that of the installation in `KILOTOKEN_HOME`. */
  findDatabaseUrl(): string;
  readonly allowPrivateWebhooks: boolean;
}

const quickstartSchema = z.object({ databaseUrl: setting.databaseUrl() });

/** Throws a ConfigError. The database is looked for when a command needs one, so that `--help` needs none. */
export const readKtConfig = (environment: Environment, processFolder: string): KtConfig => {
  const { DATABASE_URL: databaseUrl, KILOTOKEN_HOME: home, WEBHOOK_ALLOW_PRIVATE } = parseConfig(ktSettings, environment);
  return { allowPrivateWebhooks: WEBHOOK_ALLOW_PRIVATE === '1', findDatabaseUrl: () => databaseUrl ?? readQuickstart(join(resolve(processFolder, home), 'quickstart.json')) };
};

const readQuickstart = (file: string): string => {
  try {
    return quickstartSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).databaseUrl;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'does not say where the database is';
    throw new AppError({
      code: 'database_unknown',
      kind: 'unavailable',
      publicMessage: `No database is known: DATABASE_URL is not set, and ${file} ${reason}. Start Kilotoken (npm start), or set DATABASE_URL or KILOTOKEN_HOME.`,
    });
  }
};
