import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createPrivatePostgres, type PrivatePostgres } from '../../../test/support/private-postgres.js';
import { testRunFolder } from '../../../test/support/postgres.js';
import { identifyProcess, isAlive, waitForExit } from '../process-identity.js';
import { findRunningPostgres, startPostgres } from './index.js';

let postgres: PrivatePostgres;

beforeAll(async () => {
  postgres = await createPrivatePostgres();
});

afterAll(() => postgres.remove());

async function query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: postgres.ownerUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const dataDirOf = async (): Promise<string> => (await query<{ data_directory: string }>('SHOW data_directory'))[0]?.data_directory ?? '';

describe('startPostgres', () => {
  it('runs Postgres 18 or newer: durable, UTF-8, one collation for every machine, on the loopback interface alone', async () => {
    const [settings] = await query(`
      SELECT current_setting('server_version_num')::int >= 180000 AS recent, current_setting('fsync') AS fsync,
             current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit,
             current_setting('server_encoding') AS encoding, current_setting('listen_addresses') AS addresses,
             current_setting('data_checksums') AS checksums,
             (SELECT datlocprovider::text || ':' || datlocale FROM pg_database WHERE datname = current_database()) AS locale`);
    expect(settings).toEqual({
      recent: true,
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      encoding: 'UTF8',
      addresses: '127.0.0.1',
      checksums: 'on',
      locale: 'b:C.UTF-8',
    });
  });

  it('keeps committed rows over a crash, on the same URL', async () => {
    await query('CREATE TABLE kept (id integer); INSERT INTO kept VALUES (1)');
    await postgres.stop('immediate');
    expect(isAlive(postgres.server().identity)).toBe(false);
    await postgres.start({ settings: { work_mem: '5MB' } });

    expect(await query('SELECT id FROM kept')).toEqual([{ id: 1 }]);
    expect(await query('SHOW work_mem')).toEqual([{ work_mem: '5MB' }]);
  });

  it('takes over the data folder of a server whose starter was killed', async () => {
    const orphan = postgres.server().identity;
    await postgres.start();

    expect(isAlive(orphan)).toBe(false);
    expect(findRunningPostgres(await dataDirOf())).toEqual(postgres.server().identity);
  });

  it('starts despite a pid file whose pid belongs to another program, and leaves that program alone', async () => {
    const dataDir = await dataDirOf();
    await postgres.stop('immediate');
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const identity = identifyProcess(bystander.pid ?? 0);
    const pidFile = join(dataDir, 'postmaster.pid');
    const lines = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').split('\n').slice(1) : [];
    writeFileSync(pidFile, [bystander.pid, ...lines].join('\n'));

    await postgres.start();

    expect(identity && isAlive(identity)).toBe(true);
    bystander.kill('SIGKILL');
    if (identity) await waitForExit(identity, 60_000);
  });

  it('names the taken port and leaves the data untouched', async () => {
    const { port } = postgres.server();
    await postgres.stop('fast');
    const blocker = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));

    await expect(postgres.start()).rejects.toMatchObject({ code: 'port_taken', message: expect.stringContaining(`port ${port}`) });

    await new Promise((resolve) => blocker.close(resolve));
    await postgres.start();
    expect(await query('SELECT id FROM kept')).toEqual([{ id: 1 }]);
  });

  it('refuses the data folder of another major version', async () => {
    const dataDir = mkdtempSync(join(testRunFolder(), 'older-'));
    writeFileSync(join(dataDir, 'PG_VERSION'), '17\n');

    await expect(startPostgres({ dataDir, superuserPassword: 'unused' })).rejects.toThrow(/holds the data of Postgres 17/);
    rmSync(dataDir, { recursive: true });
  });

  it('reports the server\'s own message when it does not start', async () => {
    await postgres.stop('fast');
    await expect(postgres.start({ settings: { no_such_setting: 1 } })).rejects.toThrow(/unrecognized configuration parameter "no_such_setting"/);
    await postgres.start();
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('names the folder that is closed to the unprivileged user, and changes nothing', async () => {
    const closed = mkdtempSync(join(testRunFolder(), 'closed-'));
    const dataDir = join(closed, 'home', 'data');

    await expect(startPostgres({ dataDir, superuserPassword: 'unused' })).rejects.toThrow(`cannot enter ${closed}`);
    expect(existsSync(join(dataDir, 'PG_VERSION'))).toBe(false);
    rmSync(closed, { recursive: true });
  });
});
