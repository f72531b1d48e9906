import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appLoginName, ensureAppLogin, migrateDatabase } from '@kilotoken/platform';
import pg from 'pg';
import { findFreePort } from '../free-port.js';
import { embeddedSettings } from '../launcher/embedded-database.js';
import { startPostgres, type RunningPostgres } from '../postgres/index.js';
import { startBenchApp, type App } from './app.js';
import { openInspector, type Inspector } from './inspector.js';
import { seedCatalogue, seedOrganizations } from './seed.js';

/** One gateway with everything on, in a folder and with a Postgres of its own. */
export interface InstallationOptions {
  readonly vendorOrigin: string;
  /** Organizations stored beside the one that buys in the comparison. */
  readonly organizations: number;
  readonly inspected: boolean;
  readonly settings: Readonly<Record<string, string>>;
  readonly postgres: Readonly<Record<string, string>>;
}

export interface Installation {
  readonly gateway: App;
  readonly metering: App;
  readonly postgresPid: number;
  readonly owner: pg.Client;
  /** The key of the organization that buys in the comparison. */
  readonly key: string;
  /** The keys of the others. */
  readonly otherKeys: readonly string[];
  readonly inspector: Inspector | null;
  /** What money depends on, as the application's own login sees it. */
  readonly durability: Readonly<Record<string, string>>;
}

/** What was started, latest last, to be ended in the opposite order however the bench ends. */
export type Cleanup = (() => Promise<void> | void)[];

const database = 'kilotoken';
const connectMsMax = 10_000;

export const startInstallation = async (options: InstallationOptions, cleanup: Cleanup): Promise<Installation> => {
  // Not mkdtemp, whose folders are closed to the user that Postgres runs as under root.
  const folder = join(tmpdir(), `kilotoken-bench-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder, { mode: 0o711 });
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), superuserPassword: randomBytes(16).toString('hex'), settings: { ...embeddedSettings, ...options.postgres } });
  cleanup.push(() => server.stop('immediate'));
  const ownerUrl = await createDatabase(server);
  const appUrl = await ensureAppLogin(ownerUrl, appLoginName(database), randomBytes(16).toString('hex'));
  const owner = await connect(ownerUrl);
  cleanup.push(() => owner.end().catch(() => undefined));

  const priceBookId = await seedCatalogue(owner, `${options.vendorOrigin}/v1`);
  const [key] = await seedOrganizations(owner, priceBookId, 1);
  const otherKeys = await seedOrganizations(owner, priceBookId, options.organizations);
  // As a database that has run for a while has it.
  await owner.query('VACUUM ANALYZE');

  const shared = { HOST: '127.0.0.1', INTERNAL_TOKEN: randomBytes(16).toString('hex'), APP_DATABASE_URL: appUrl, LOG_LEVEL: 'info', ...options.settings };
  const [gatewayPort, gatewayMetricsPort, meteringPort, inspectPort] = [await findFreePort(), await findFreePort(), await findFreePort(), await findFreePort()];
  const metering = await startBenchApp({ name: 'metering', port: meteringPort, folder, settings: { ...shared, METERING_PORT: String(meteringPort) } });
  cleanup.push(metering.stop);
  const gateway = await startBenchApp({
    name: 'gateway',
    port: gatewayPort,
    folder,
    settings: { ...shared, GATEWAY_PORT: String(gatewayPort), GATEWAY_METRICS_PORT: String(gatewayMetricsPort) },
    ...(options.inspected ? { inspectPort } : {}),
  });
  cleanup.push(gateway.stop);
  const inspector = options.inspected ? await openInspector(inspectPort) : null;
  cleanup.push(() => inspector?.close());
  return { gateway, metering, postgresPid: server.identity.pid, owner, key: key!, otherKeys, inspector, durability: await readDurability(appUrl) };
};

const createDatabase = async (server: RunningPostgres): Promise<string> => {
  const client = await connect(server.databaseUrl('postgres'));
  await client.query(`CREATE DATABASE ${database}`);
  await client.end();
  const ownerUrl = server.databaseUrl(database);
  await migrateDatabase(ownerUrl);
  return ownerUrl;
};

const connect = async (connectionString: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: connectMsMax });
  // A lost connection rejects the running query too.
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

const readDurability = async (appUrl: string): Promise<Record<string, string>> => {
  const client = await connect(appUrl);
  try {
    const { rows } = await client.query<Record<string, string>>(
      `SELECT current_user AS role, current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
              current_setting('synchronous_commit') AS synchronous_commit, current_setting('server_version') AS postgres`,
    );
    return rows[0]!;
  } finally {
    await client.end();
  }
};
