import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { LauncherError } from './launcher-error.js';

/** Checks that the database of `DATABASE_URL`, which somebody else runs, is fit for Kilotoken. */

const VERSION_MIN = 180_000;
const CONNECT_MS_MAX = 10_000;
const ATTEMPTS = 3;
const RETRY_MS = 1_000;

/** Returns the database's version, such as `18.4`. Throws a LauncherError that names the problem. */
export async function checkExternalDatabase(databaseUrl: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readVersion(databaseUrl);
    } catch (error) {
      if (error instanceof LauncherError) throw error;
      // A restarting database is back in a moment; a wrong password stays wrong.
      if (error instanceof pg.DatabaseError || attempt === ATTEMPTS) throw explain(error, databaseUrl);
      await wait(RETRY_MS);
    }
  }
}

async function readVersion(databaseUrl: string): Promise<string> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: CONNECT_MS_MAX,
    application_name: 'kilotoken-launcher',
  });
  // A lost connection also rejects the running query; without a listener it would end the process too.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    const version = Number(rows[0]?.server_version_num);
    const shown = `${Math.floor(version / 10_000)}.${version % 10_000}`;
    if (version >= VERSION_MIN) return shown;
    throw new LauncherError(
      `The database at ${describe(databaseUrl)} is Postgres ${shown}, but Kilotoken needs Postgres 18 or newer. Upgrade it, set another one in ` +
        'DATABASE_URL, or unset DATABASE_URL to use the embedded Postgres. Nothing was changed.',
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

function explain(error: unknown, databaseUrl: string): LauncherError {
  const { code, message } = error as { code?: string; message: string };
  const where = describe(databaseUrl);
  const unset = 'or unset DATABASE_URL to use the embedded Postgres.';
  switch (code) {
    case '28P01':
    case '28000':
      return new LauncherError(`The database at ${where} refused the user and password in DATABASE_URL (${message}). Correct them, ${unset}`);
    case '3D000':
      return new LauncherError(`The database named in DATABASE_URL does not exist at ${where} (${message}). Create it (createdb), ${unset}`);
    default:
      return new LauncherError(`The database at ${where} cannot be reached: ${message || code}. Check that it runs and that DATABASE_URL is right, ${unset}`);
  }
}

/** The address without user and password, for printing. */
function describe(databaseUrl: string): string {
  const { hostname, port, pathname } = new URL(databaseUrl);
  return `${hostname}:${port || '5432'}${pathname}`;
}
