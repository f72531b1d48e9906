import { ConfigError, databaseServices, describeHolder, ensureAppLogin, ensureAuditLogin, ensureControlLogin, ensureServiceLogin, migrateDatabase, MigrationError, readEnvironment } from '@kilotoken/platform';
import { serviceUrlSettings } from '../service-urls.js';
import { readMigrateSettings } from './config.js';

/**
 * Brings the database of `DATABASE_URL` to this version and gives the logins of `GATEWAY_DATABASE_URL`, `METERING_DATABASE_URL`,
 * `BACKOFFICE_DATABASE_URL`, `API_DATABASE_URL`, `APP_DATABASE_URL`, `AUDIT_DATABASE_URL` and `CONTROL_DATABASE_URL`, where they are set, their
 * passwords. For installations that `npm start` does not run: a job before a release, a container that ends. Safe to run again and twice
 * at once. Ends with 0, 1 (nothing of the failed migration was done), or 78 when a setting is wrong.
 */
const exitCodes = { done: 0, failed: 1, misconfigured: 78 } as const;

const say = (sentence: string): void => void process.stdout.write(`${sentence}\n`);

const run = async (): Promise<void> => {
  const settings = readMigrateSettings(readEnvironment());
  const { DATABASE_URL: ownerUrl, APP_DATABASE_URL: appUrl, AUDIT_DATABASE_URL: auditUrl, CONTROL_DATABASE_URL: controlUrl } = settings;
  const { applied } = await migrateDatabase(ownerUrl, {
    onApplied: (name, elapsedMs) => say(`${name} applied in ${Math.round(elapsedMs)} ms`),
    onWaiting: (name, holders) => holders.forEach((holder) => say(`${name} waits for ${describeHolder(holder)}`)),
  });
  say(applied.length === 0 ? 'The database is up to date.' : `The database is up to date: ${applied.length} migrations were applied.`);
  if (appUrl !== undefined) await makeLogin(ensureAppLogin, ownerUrl, appUrl);
  for (const service of databaseServices) {
    const url = settings[serviceUrlSettings[service]];
    if (url !== undefined) await makeLogin((owner, name, password) => ensureServiceLogin(owner, service, name, password), ownerUrl, url);
  }
  if (auditUrl !== undefined) await makeLogin(ensureAuditLogin, ownerUrl, auditUrl);
  if (controlUrl !== undefined) await makeLogin(ensureControlLogin, ownerUrl, controlUrl);
};

const makeLogin = async (ensure: typeof ensureAppLogin, ownerUrl: string, url: string): Promise<void> => {
  const { username, password } = new URL(url);
  await ensure(ownerUrl, decodeURIComponent(username), decodeURIComponent(password));
  say(`The login ${decodeURIComponent(username)} is ready.`);
};

const explain = (error: unknown): string => {
  if (error instanceof ConfigError || error instanceof MigrationError) return error.message;
  return error instanceof Error ? (error.message || String(error)) : String(error);
};

try {
  await run();
  process.exitCode = exitCodes.done;
} catch (error) {
  process.stderr.write(`The database cannot be brought to this version. ${explain(error)}\n`);
  process.exitCode = error instanceof ConfigError ? exitCodes.misconfigured : exitCodes.failed;
}
