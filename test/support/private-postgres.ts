import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, type PostgresOptions, type RunningPostgres, type StopMode } from '@kilotoken/tools/postgres';
import { prepareTestDatabase, testRunFolder } from './postgres.js';

/**
 * A Postgres of one test's own, for faults that would hit the tests beside it: crashes, full disks, slow disks.
 * Its URLs stay the same over stop and start.
 */
export interface PrivatePostgres {
  ownerUrl: string;
  appUrl: string;
  dataFolder: string;
  /** The server as it runs now; its process to signal or trace. */
  server(): RunningPostgres;
  stop(mode: StopMode): Promise<void>;
  start(overrides?: Pick<PostgresOptions, 'settings' | 'environment'>): Promise<void>;
  /** Ends the server, however it is, and deletes its data. */
  remove(): Promise<void>;
}

export interface PrivatePostgresOptions extends Pick<PostgresOptions, 'settings' | 'environment'> {
  /** A folder of the test's own, such as a small tmpfs; one in the run's folder when left out. */
  parentFolder?: string;
}

const DATABASE = 'kilotoken_private';

export async function createPrivatePostgres({ parentFolder, ...options }: PrivatePostgresOptions = {}): Promise<PrivatePostgres> {
  const name = `private-${randomBytes(4).toString('hex')}`;
  // Not mkdtemp, whose folders are closed to the user that Postgres runs as under root.
  const folder = join(parentFolder ?? testRunFolder(), name);
  mkdirSync(folder);
  const dataDir = join(folder, 'data');
  const superuserPassword = randomBytes(16).toString('hex');
  // The run's teardown ends what a failed test leaves running.
  const processFile = join(testRunFolder(), `${name}.process.json`);

  const start = async (overrides: Partial<PostgresOptions>): Promise<RunningPostgres> => {
    const started = await startPostgres({ dataDir, superuserPassword, ...options, ...overrides });
    writeFileSync(processFile, JSON.stringify(started.identity));
    return started;
  };

  let server = await start({});
  const { ownerUrl, appUrl } = await prepareTestDatabase(server, DATABASE);
  return {
    ownerUrl,
    appUrl,
    dataFolder: dataDir,
    server: () => server,
    stop: (mode) => server.stop(mode),
    start: async (overrides = {}) => {
      server = await start({ ...overrides, port: server.port });
    },
    remove: async () => {
      await server.stop('immediate');
      rmSync(processFile, { force: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
