import { afterAll, describe } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { testRunFolder } from '../support/postgres.js';
import { createPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** The disk under Postgres fills up under load. Whatever Postgres does then, nothing is told that is not kept. */

const DISK_MEGABYTES = 256;
const MEGABYTE = Buffer.alloc(1024 * 1024);

let vendor: Vendor | undefined;
let postgres: PrivatePostgres | undefined;
let cluster: Cluster | undefined;
let disk: string | undefined;

afterAll(async () => {
  await cluster?.stop();
  await postgres?.remove();
  await vendor?.close();
  if (disk) execFileSync('umount', ['-l', disk], { timeout: 10_000 });
});

describe('a disk that is full', () => {
  itNeeds('linux', 'root', 'tmpfs')('loses no completed answer, and all goes on when there is space again', async () => {
    const folder = join(testRunFolder(), 'small-disk');
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', folder], { timeout: 10_000 });
    disk = folder;
    chmodSync(folder, 0o711);
    vendor = await startVendor();
    postgres = await createPrivatePostgres({ parentFolder: folder, settings: { min_wal_size: '32MB', max_wal_size: '48MB', wal_recycle: 'off' } });
    cluster = await startCluster({ postgres, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['1000'], env: { SESSION_TTL_MS: '10000', SETTLE_WAIT_MS: '2000' } });
    const client = new ClientLog();
    const load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency: 16, script: () => ({ outputTokens: 3 }) });
    await until('answers are complete', () => client.completed().length > 50);

    const filler = join(folder, 'filler');
    fill(filler);
    await until('the disk is felt', () => client.entries.some(({ completed, errorCode }) => !completed && errorCode !== null), 60_000);
    rmSync(filler);
    if (!(await isUp())) await postgres.start();
    const before = client.completed().length;
    await until('answers are complete again', () => client.completed().length > before + 50, 60_000);
    await load.stop();

    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
    await client.close();
  }, 180_000);
});

/** Writes until nothing fits any more. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, MEGABYTE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** Postgres either recovers by itself or has given up; it says which within seconds. */
async function isUp(): Promise<boolean> {
  let ended = false;
  void postgres!.server().exited.then(() => (ended = true));
  return until('Postgres is up or gone', async () => (ended ? { up: false } : (await cluster!.sql('SELECT 1').then(() => true, () => false)) && { up: true }), 60_000).then(({ up }) => up);
}
