import { randomBytes } from 'node:crypto';
import { existsSync, openSync, closeSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { databaseServices, ensureAppLogin, ensureControlLogin, ensureServiceLogin, migrateDatabase, type DatabaseService } from '@kilotoken/platform';
import { startPostgres, type RunningPostgres } from '@kilotoken/tools/postgres';

/**
 * A database of its own for every test that wants one, in the one Postgres 18 of this run. Its durability settings are
 * the production ones; only its data is temporary. The first caller of any Jest worker starts the server, the others
 * wait for it, and Jest's global teardown stops it.
 */

const TEMPLATE = 'kilotoken_template';
/** One login for all databases of the cluster: the group's rights come from each database's own grants. */
const APP_LOGIN = 'kilotoken_test_app';
const serviceLogin = (service: DatabaseService | 'control'): string => `kilotoken_test_${service}`;
const CLUSTER_START_MS_MAX = 120_000;
const POLL_MS = 20;
const STATEMENT_MS_MAX = 30_000;
const CONNECTIONS_MAX = 300;

export interface TestDatabase {
  name: string;
  /** The owner: migrations, the clock, failure injection. */
  ownerUrl: string;
  /** A login with the rights of gateway, metering and backoffice: bound by row-level security. See `serviceUrl`. */
  appUrl: string;
  /**
   * Ends every session and lets no new one in. The files stay until the run ends: DROP DATABASE forces a checkpoint,
   * which takes seconds where fsync is on, and 10 MB a database are cheaper.
   */
  drop(): Promise<void>;
}

/** What `cluster.process.json` holds: the server's process, for whoever has to stop it, and how to log in. */
interface TestCluster {
  pid: number;
  startedAt: string;
  ownerUrl: string;
  appUrl: string;
}

/** A migrated, empty database marked as `test`, copied from the template. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const cluster = await findOrStartCluster();
  const name = `test_${randomBytes(8).toString('hex')}`;
  await runAsOwner(cluster, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  return {
    name,
    ownerUrl: withDatabase(cluster.ownerUrl, name),
    appUrl: withDatabase(cluster.appUrl, name),
    drop: () => close(cluster, name),
  };
}

/** The same database as one service logs in to it. What is no test's own login, as of an installation, stays as it is. */
export function serviceUrl(appUrl: string, service: DatabaseService | 'control'): string {
  const url = new URL(appUrl);
  if (url.username === APP_LOGIN) url.username = serviceLogin(service);
  return url.href;
}

/** A database without any table, for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<Omit<TestDatabase, 'appUrl'>> {
  const cluster = await findOrStartCluster();
  const name = `empty_${randomBytes(8).toString('hex')}`;
  await runAsOwner(cluster, `CREATE DATABASE ${name} TEMPLATE template0`);
  return {
    name,
    ownerUrl: withDatabase(cluster.ownerUrl, name),
    drop: () => close(cluster, name),
  };
}

/** The folder of this run: reachable for Postgres' unprivileged user, removed when the run ends. */
export function testRunFolder(): string {
  const folder = process.env['KILOTOKEN_TEST_RUN'];
  if (!folder) throw new Error('KILOTOKEN_TEST_RUN is unset: run the tests with the jest.config.mjs of this repository.');
  return folder;
}

async function findOrStartCluster(): Promise<TestCluster> {
  const folder = testRunFolder();
  const clusterFile = join(folder, 'cluster.process.json');
  const failureFile = join(folder, 'cluster-failed.txt');
  if (!existsSync(clusterFile) && claim(join(folder, 'cluster.starting'))) {
    try {
      const cluster = await startCluster(folder);
      // Its name says that the file is whole.
      writeFileSync(`${clusterFile}.new`, JSON.stringify(cluster));
      renameSync(`${clusterFile}.new`, clusterFile);
    } catch (error) {
      writeFileSync(failureFile, error instanceof Error ? `${error.stack}` : String(error));
      throw error;
    }
  }
  const deadline = performance.now() + CLUSTER_START_MS_MAX;
  while (!existsSync(clusterFile)) {
    if (existsSync(failureFile)) throw new Error(`The Postgres of this run did not start: ${readFileSync(failureFile, 'utf8')}`);
    if (performance.now() > deadline) throw new Error('The Postgres of this run did not start in time.');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return JSON.parse(readFileSync(clusterFile, 'utf8')) as TestCluster;
}

/** Whether this caller is the first: creating a file that must not exist is atomic between processes. */
function claim(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function startCluster(folder: string): Promise<TestCluster> {
  const password = randomBytes(16).toString('hex');
  const server = await startPostgres({
    dataDir: join(folder, 'postgres'),
    superuserPassword: password,
    // A checkpoint would write out the files of every database made so far; crash recovery is nobody's need here.
    settings: { max_connections: CONNECTIONS_MAX, shared_buffers: '256MB', checkpoint_timeout: '1h', max_wal_size: '8GB' },
  });
  try {
    const { appUrl } = await prepareTestDatabase(server, TEMPLATE);
    return { ...server.identity, ownerUrl: server.databaseUrl('postgres'), appUrl };
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
}

/** A database of this code's schema, marked as `test`, with the applications' login. */
export async function prepareTestDatabase(server: RunningPostgres, name: string): Promise<{ ownerUrl: string; appUrl: string }> {
  const ownerUrl = server.databaseUrl(name);
  await query(server.databaseUrl('postgres'), `CREATE DATABASE ${name}`);
  await migrateDatabase(ownerUrl);
  await query(ownerUrl, "UPDATE database_mark SET kind = 'test'");
  const password = randomBytes(16).toString('hex');
  for (const service of databaseServices) await ensureServiceLogin(ownerUrl, service, serviceLogin(service), password);
  await ensureControlLogin(ownerUrl, serviceLogin('control'), password);
  return { ownerUrl, appUrl: await ensureAppLogin(ownerUrl, APP_LOGIN, password) };
}

const close = (cluster: TestCluster, name: string): Promise<void> =>
  runAsOwner(
    cluster,
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS false;
     SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
  );

const runAsOwner = (cluster: TestCluster, sql: string): Promise<void> => query(cluster.ownerUrl, sql);

async function query(databaseUrl: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: STATEMENT_MS_MAX, statement_timeout: STATEMENT_MS_MAX });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function withDatabase(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
}
