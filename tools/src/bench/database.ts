import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appLoginName, ensureAppLogin, ensureServiceLogin, migrateDatabase, serviceLoginName } from '@kilotoken/platform';
import pg from 'pg';
import { embeddedSettings } from '../launcher/embedded-database.js';
import { startPostgres, type RunningPostgres } from '../postgres/index.js';
import type { Cleanup } from './run.js';

/** A private Postgres with an installation's settings, the schema and the applications' logins. */
export interface BenchDatabase {
  /** Also for the bench's other files. */
  readonly folder: string;
  readonly postgresPid: number;
  readonly ownerUrl: string;
  /** A login with the rights of all applications, for the bench's own queries. */
  readonly appUrl: string;
  readonly gatewayUrl: string;
  readonly meteringUrl: string;
  readonly apiUrl: string;
}

const database = 'kilotoken';
const connectMsMax = 10_000;

export const startBenchDatabase = async (furtherSettings: Readonly<Record<string, string>>, cleanup: Cleanup): Promise<BenchDatabase> => {
  // Not mkdtemp: under root, Postgres runs as another user, to whom mkdtemp's folders are closed.
  const folder = join(tmpdir(), `kilotoken-bench-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder, { mode: 0o711 });
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), superuserPassword: randomBytes(16).toString('hex'), settings: { ...embeddedSettings, ...furtherSettings } });
  cleanup.push(() => server.stop('immediate'));
  const ownerUrl = await createDatabase(server);
  const appUrl = await ensureAppLogin(ownerUrl, appLoginName(database), randomBytes(16).toString('hex'));
  const loginOf = (service: 'gateway' | 'metering' | 'api'): Promise<string> => ensureServiceLogin(ownerUrl, service, serviceLoginName(service, database), randomBytes(16).toString('hex'));
  return { folder, postgresPid: server.identity.pid, ownerUrl, appUrl, gatewayUrl: await loginOf('gateway'), meteringUrl: await loginOf('metering'), apiUrl: await loginOf('api') };
};

const createDatabase = async (server: RunningPostgres): Promise<string> => {
  const client = await connect(server.databaseUrl('postgres'));
  await client.query(`CREATE DATABASE ${database}`);
  await client.end();
  const ownerUrl = server.databaseUrl(database);
  await migrateDatabase(ownerUrl);
  return ownerUrl;
};

export const connect = async (connectionString: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: connectMsMax });
  // A lost connection also rejects the running query.
  client.on('error', () => undefined);
  await client.connect();
  return client;
};
