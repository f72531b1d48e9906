import { join } from 'node:path';
import pg from 'pg';
import { findFreePort, isPortFree } from '../free-port.js';
import { startPostgres, type RunningPostgres } from '../postgres/index.js';
import { readIfThere, writeAtomically } from '../atomic-write.js';
import type { Home } from './home.js';
import type { Secrets } from './secrets.js';
import { portSettings, type LauncherSettings } from './settings.js';
import type { Service } from './supervisor.js';

const DATABASE = 'kilotoken';
const STATEMENT_MS_MAX = 30_000;
const FREE_PORT_ATTEMPTS_MAX = 20;

/** Set in addition to the durable defaults; the bench uses the same. */
export const embeddedSettings = {
  max_connections: 200,
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  // Ledger and usage only grow by inserts, and must still be vacuumed for their visibility map.
  autovacuum_vacuum_insert_scale_factor: 0.05,
};

/** This installation's Postgres as a supervised service; its port stays the same over starts and restarts. */
export async function createPostgresService(home: Home, secrets: Secrets, launcher: LauncherSettings): Promise<Service<RunningPostgres>> {
  const port = await choosePort(home, launcher);
  return {
    name: 'postgres',
    start: () =>
      startPostgres({
        dataDir: home.databaseFolder,
        superuserPassword: secrets.databaseOwnerPassword,
        port,
        settings: embeddedSettings,
        logFile: join(home.logs, 'postgres.log'),
      }),
    // `start` returns a server that is ready.
    waitUntilReady: () => Promise.resolve(),
  };
}

/** The port of the last start, unless another program has taken it, so that noted addresses still work. */
async function choosePort(home: Home, launcher: LauncherSettings): Promise<number> {
  if (launcher.POSTGRES_PORT !== undefined) return launcher.POSTGRES_PORT;
  const promised = new Set(portSettings.map((name) => launcher[name]));
  const kept = readKeptPort(home.portFile);
  if (kept !== null && !promised.has(kept) && (await isPortFree(kept))) return kept;
  let port = await findFreePort();
  for (let attempt = 1; promised.has(port) && attempt < FREE_PORT_ATTEMPTS_MAX; attempt += 1) port = await findFreePort();
  writeAtomically(home.portFile, `${port}\n`);
  return port;
}

function readKeptPort(file: string): number | null {
  const port = Number(readIfThere(file) ?? 0);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
}

/** Creates the database in a new cluster; returns its owner's URL. */
export async function ensureDatabase(server: RunningPostgres): Promise<string> {
  const client = new pg.Client({
    connectionString: server.databaseUrl('postgres'),
    connectionTimeoutMillis: STATEMENT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
  });
  // A lost connection also rejects the running query; without a listener it would end the process too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
  return server.databaseUrl(DATABASE);
}
