import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { appLoginName, auditLoginName, ensureAppLogin, ensureAuditLogin, migrateDatabase } from '@kilotoken/platform';
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
  /** The applications' login. */
  appUrl: string;
  /** The login that proves the books; null where somebody else makes the logins and made none. */
  auditUrl: string | null;
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
    const appUrl = settings.APP_DATABASE_URL ?? (await ensureAppLogin(ownerUrl, appLoginName(databaseNameOf(ownerUrl)), secrets.databaseAppPassword));
    const auditUrl = await findAuditUrl(ownerUrl, secrets, settings);
    return { result: { ownerUrl, appUrl, auditUrl }, detail: applied > 0 ? `${applied} migrations applied` : 'up to date' };
  });
}

async function findAuditUrl(ownerUrl: string, secrets: Secrets, settings: LauncherSettings): Promise<string | null> {
  if (settings.AUDIT_DATABASE_URL || settings.APP_DATABASE_URL) return settings.AUDIT_DATABASE_URL ?? null;
  // Of the owner's password, which nobody but the launcher knows: older installations have no secret for it.
  const password = createHmac('sha256', secrets.databaseOwnerPassword).update('auditor').digest('hex');
  return ensureAuditLogin(ownerUrl, auditLoginName(databaseNameOf(ownerUrl)), password);
}

function startEmbedded(terminal: Terminal, postgres: SupervisedService<RunningPostgres>): Promise<string> {
  return runStep(terminal, 'database', 'starting Postgres', async () => {
    const server = await postgres.start();
    return { result: await ensureDatabase(server), detail: `embedded Postgres 18 on port ${server.port}` };
  });
}

function checkExternal(terminal: Terminal, databaseUrl: string): Promise<string> {
  return runStep(terminal, 'database', 'looking at the database of DATABASE_URL', async () => {
    const version = await checkExternalDatabase(databaseUrl);
    return { result: databaseUrl, detail: `Postgres ${version} at ${new URL(databaseUrl).host}` };
  });
}

const databaseNameOf = (databaseUrl: string): string => decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
