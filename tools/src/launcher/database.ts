import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { appLoginName, auditLoginName, controlLoginName, databaseServices, ensureAppLogin, ensureAuditLogin, ensureControlLogin, ensureServiceLogin, migrateDatabase, serviceLoginName, type DatabaseService } from '@kilotoken/platform';
import { serviceUrlSettings } from '../service-urls.js';
import type { RunningPostgres } from '../postgres/index.js';
import { createPostgresService, ensureDatabase } from './embedded-database.js';
import { checkExternalDatabase } from './external-database.js';
import type { Home } from './home.js';
import type { Secrets } from './secrets.js';
import type { LauncherSettings } from './settings.js';
import { SupervisedService, type SupervisorSettings } from './supervisor.js';
import { runStep, type Terminal } from './terminal.js';

export interface Database {
  /** The owner's login. */
  ownerUrl: string;
  /** Each service's login. */
  serviceUrls: Record<DatabaseService, string>;
  /** The login that proves the books; null if somebody else manages the logins and made none. */
  auditUrl: string | null;
  /** The control plane's login; null if somebody else manages the logins and made none. */
  controlUrl: string | null;
}

/** Null: `DATABASE_URL` names a database that somebody else runs. */
export type PostgresService = SupervisedService<RunningPostgres> | null;

export async function createPostgres(home: Home, secrets: Secrets, settings: LauncherSettings, supervisor: SupervisorSettings): Promise<PostgresService> {
  if (settings.DATABASE_URL) return null;
  return new SupervisedService(await createPostgresService(home, secrets, settings), supervisor);
}

export const hasEmbeddedDatabase = (home: Home): boolean => existsSync(join(home.databaseFolder, 'PG_VERSION'));

/** Starts or finds the database and brings its schema up to date. */
export async function openDatabase(terminal: Terminal, postgres: PostgresService, secrets: Secrets, settings: LauncherSettings): Promise<Database> {
  const ownerUrl = postgres ? await startEmbedded(terminal, postgres) : await checkExternal(terminal, settings.DATABASE_URL ?? '');
  return runStep(terminal, 'schema', 'migrating the database', async (step) => {
    let applied = 0;
    await migrateDatabase(ownerUrl, { onApplied: (name) => step.update(`applied ${(applied += 1)}: ${name}`) });
    const serviceUrls = await findServiceUrls(ownerUrl, secrets, settings);
    const auditUrl = await findAuditUrl(ownerUrl, secrets, settings);
    const controlUrl = await findControlUrl(ownerUrl, secrets, settings);
    return { result: { ownerUrl, serviceUrls, auditUrl, controlUrl }, detail: applied > 0 ? `${applied} migrations applied` : 'up to date' };
  });
}

/** A service without its own login uses APP_DATABASE_URL, if somebody else manages the logins. */
async function findServiceUrls(ownerUrl: string, secrets: Secrets, settings: LauncherSettings): Promise<Database['serviceUrls']> {
  const databaseName = databaseNameOf(ownerUrl);
  // A process that somebody starts beside these may log in with this one, whichever service it is.
  if (!settings.APP_DATABASE_URL) await ensureAppLogin(ownerUrl, appLoginName(databaseName), secrets.databaseAppPassword);
  const urls: [DatabaseService, string][] = [];
  for (const service of databaseServices) {
    const given = settings[serviceUrlSettings[service]] ?? settings.APP_DATABASE_URL;
    urls.push([service, given ?? (await ensureServiceLogin(ownerUrl, service, serviceLoginName(service, databaseName), passwordOf(secrets, service)))]);
  }
  return Object.fromEntries(urls) as Database['serviceUrls'];
}

/** Derived from the owner's password, which only the launcher knows: older installations have no secret for these logins. */
const passwordOf = (secrets: Secrets, login: DatabaseService | 'auditor' | 'control'): string => createHmac('sha256', secrets.databaseOwnerPassword).update(login).digest('hex');

async function findAuditUrl(ownerUrl: string, secrets: Secrets, settings: LauncherSettings): Promise<string | null> {
  if (settings.AUDIT_DATABASE_URL || settings.APP_DATABASE_URL) return settings.AUDIT_DATABASE_URL ?? null;
  return ensureAuditLogin(ownerUrl, auditLoginName(databaseNameOf(ownerUrl)), passwordOf(secrets, 'auditor'));
}

async function findControlUrl(ownerUrl: string, secrets: Secrets, settings: LauncherSettings): Promise<string | null> {
  if (settings.CONTROL_DATABASE_URL || settings.APP_DATABASE_URL) return settings.CONTROL_DATABASE_URL ?? null;
  return ensureControlLogin(ownerUrl, controlLoginName(databaseNameOf(ownerUrl)), passwordOf(secrets, 'control'));
}

function startEmbedded(terminal: Terminal, postgres: SupervisedService<RunningPostgres>): Promise<string> {
  return runStep(terminal, 'database', 'starting Postgres', async () => {
    const server = await postgres.start();
    return { result: await ensureDatabase(server), detail: `embedded Postgres 18 on port ${server.port}` };
  });
}

function checkExternal(terminal: Terminal, databaseUrl: string): Promise<string> {
  return runStep(terminal, 'database', 'checking the database of DATABASE_URL', async () => {
    const version = await checkExternalDatabase(databaseUrl);
    return { result: databaseUrl, detail: `Postgres ${version} at ${new URL(databaseUrl).host}` };
  });
}

const databaseNameOf = (databaseUrl: string): string => decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
