import type { Db } from './database.js';
import { AppError } from '../errors.js';

const serverVersionMin = 180_000;

interface ServerSettings {
  readonly version: number;
  readonly fsync: string;
  readonly fullPageWrites: string;
  readonly synchronousCommit: string;
}

/** Finds settings that let an acknowledged COMMIT be lost, each with its remedy. Pure. */
export const durabilityProblems = (settings: ServerSettings): string[] => {
  const problems: string[] = [];
  if (settings.version < serverVersionMin) {
    problems.push(`Postgres ${Math.floor(settings.version / 10_000)} is too old: upgrade to 18 or newer, or unset DATABASE_URL to use the embedded one`);
  }
  if (settings.fsync !== 'on') problems.push('fsync is off: set fsync = on in postgresql.conf and reload, or a crash of the machine loses money');
  if (settings.fullPageWrites !== 'on') problems.push('full_page_writes is off: set full_page_writes = on in postgresql.conf and reload');
  if (!['on', 'remote_apply'].includes(settings.synchronousCommit)) {
    problems.push(
      `synchronous_commit is ${settings.synchronousCommit}: set it to on (or remote_apply) for this role and database, or an acknowledged charge can be lost`,
    );
  }
  return problems;
};

/** Throws an AppError `database_not_durable` unless this connection's commits survive a crash of the server. */
export const assertDurable = async (db: Db): Promise<void> => {
  const { rows } = await db.query<ServerSettings>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('fsync') AS fsync,
            current_setting('full_page_writes') AS "fullPageWrites", current_setting('synchronous_commit') AS "synchronousCommit"`,
  );
  const problems = durabilityProblems(rows[0]!);
  if (problems.length === 0) return;
  throw new AppError({
    code: 'database_not_durable',
    kind: 'unavailable',
    publicMessage: "The database's settings do not make committed transactions durable.",
    details: { problems },
    cause: new Error(problems.join('; ')),
  });
};

/**
 * Throws an AppError `database_role_too_strong` when row-level security does not bind this connection: as superuser or
 * with BYPASSRLS every query would see every organization, and nothing would look wrong.
 */
export const assertRowSecurityBinds = async (db: Db): Promise<void> => {
  const { rows } = await db.query<{ name: string; exempt: boolean }>(
    'SELECT rolname AS name, rolsuper OR rolbypassrls AS exempt FROM pg_roles WHERE rolname = current_user',
  );
  if (rows[0]?.exempt === false) return;
  const problem = `the role ${rows[0]?.name ?? 'in use'} ignores row-level security: let APP_DATABASE_URL name a login that is only a member of its service's group, such as kilotoken_gateway`;
  throw new AppError({
    code: 'database_role_too_strong',
    kind: 'unavailable',
    publicMessage: "The database login has the wrong rights for this service.",
    details: { problems: [problem] },
    cause: new Error(problem),
  });
};
