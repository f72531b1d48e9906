import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { findFreePort, isPortFree } from '../free-port.js';
import { identifyProcess, isAlive, type ProcessIdentity } from '../process-identity.js';
import { findPostgresBinaries } from './binaries.js';
import { ensureDataFolder, postgresEnvironment, SUPERUSER } from './data-folder.js';
import { clearDataFolder, readPostmasterFile, stopPostgres, type StopMode } from './orphan.js';
import { explainOutput, PostgresStartError } from './postgres-error.js';
import { findUnprivilegedUser } from './unprivileged-user.js';

/**
 * Runs Postgres 18 in its own process and session: Ctrl-C in a terminal does not reach it, and it outlives a killed
 * caller. The caller that starts it stops it.
 */

/** Recovery from a crash replays up to `max_wal_size`. A dead server is noticed at once. */
const START_MS_MAX = 300_000;
const START_ATTEMPTS_MAX = 5;
const LOG_TAIL_CHARACTERS = 4_000;

/** Money depends on these settings, so they are explicit, although they are Postgres' defaults. */
const DURABILITY = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on' };

export interface PostgresOptions {
  dataDir: string;
  /** The superuser's password, for `initdb` and `databaseUrl`. */
  superuserPassword: string;
  /** Default: a free port. */
  port?: number;
  /** The server's log. Default: `<dataDir>.log`. It is opened for appending, so it may be truncated at any time. */
  logFile?: string;
  /** Server settings (`-c name=value`), which override the durable defaults. */
  settings?: Record<string, string | number>;
  /** Added to the server's otherwise empty environment, for fault injection. */
  environment?: Record<string, string>;
}

export interface RunningPostgres {
  identity: ProcessIdentity;
  port: number;
  /** Resolves when the server has ended, to the signal or exit code in words. */
  exited: Promise<string>;
  databaseUrl(databaseName: string): string;
  /** Resolves when the process is gone. The same options start the folder again. */
  stop(mode: StopMode): Promise<void>;
}

export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const binaries = await findPostgresBinaries();
  const user = findUnprivilegedUser();
  await ensureDataFolder(options.dataDir, options.superuserPassword, binaries, user);
  const dataDir = realpathSync(options.dataDir);
  await clearDataFolder(dataDir);
  const logFile = options.logFile ?? `${dataDir}.log`;

  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    if (options.port !== undefined && !(await isPortFree(port))) throw portTaken(port);
    const log = openSync(logFile, 'a', 0o600);
    const logStart = fstatSync(log).size;
    const child = spawn(binaries.postgres, ['-D', dataDir, '-p', String(port), ...settingFlags(options.settings)], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: dataDir,
      env: postgresEnvironment(options.environment),
      ...user,
    });
    closeSync(log);
    try {
      await waitUntilReady(child, dataDir, () => readLog(logFile, logStart));
    } catch (error) {
      // Another program took the free port between our check and Postgres' bind.
      const lostRace = error instanceof PostgresStartError && error.code === 'port_taken' && options.port === undefined;
      if (lostRace && attempt < START_ATTEMPTS_MAX) continue;
      throw error;
    }
    return describeServer(child, port, options.superuserPassword);
  }
}

function describeServer(child: ChildProcess, port: number, password: string): RunningPostgres {
  const identity = identifyProcess(child.pid ?? 0);
  if (!identity) throw new PostgresStartError('failed', 'Postgres exited as soon as it was ready.');
  const exited = new Promise<string>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)));
  child.unref();
  return {
    identity,
    port,
    exited,
    databaseUrl: (databaseName) =>
      `postgresql://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(databaseName)}`,
    stop: (mode) => stopPostgres(identity, mode),
  };
}

function settingFlags(settings: Record<string, string | number> = {}): string[] {
  const all = {
    listen_addresses: '127.0.0.1',
    // A socket's path has at most 107 bytes, and a data folder's path may be longer.
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    ...DURABILITY,
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function waitUntilReady(child: ChildProcess, dataDir: string, readOwnLog: () => string): Promise<void> {
  let failure: Error | null = null;
  let ended = false;
  child.once('error', (error) => (failure = error));
  child.once('exit', () => (ended = true));
  const deadline = performance.now() + START_MS_MAX;
  for (;;) {
    const file = readPostmasterFile(dataDir);
    if (file?.pid === child.pid && file?.ready) return;
    if (failure) throw failure;
    if (ended) throw explainOutput('Postgres exited during its start', readOwnLog());
    if (performance.now() >= deadline) {
      const identity = identifyProcess(child.pid ?? 0);
      if (identity && isAlive(identity)) await stopPostgres(identity, 'immediate');
      throw explainOutput(`Postgres was not ready after ${START_MS_MAX / 1000} s`, readOwnLog());
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function portTaken(port: number): PostgresStartError {
  return new PostgresStartError('port_taken', `Another program has port ${port}, which Postgres needs. Stop that program, or set POSTGRES_PORT to a free port.`);
}

/** The log of this start alone; the file also has earlier ones. */
function readLog(file: string, fromByte: number): string {
  return readFileSync(file).subarray(fromByte).toString().slice(-LOG_TAIL_CHARACTERS).trim();
}
