import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openAuditPool, runReconcile } from '@kilotoken/reconcile';
import { findFreePort } from '@kilotoken/tools/free-port';
import { startPostgres, type RunningPostgres } from '@kilotoken/tools/postgres';
import { restoreBackup, takeBaseBackup } from '../support/base-backup.js';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { AppProcess } from '../support/cluster-process.js';
import { seedGrant } from '../support/cluster-seed.js';
import { expectInvariants, untilRated, withOwner } from '../support/invariants.js';
import { patience } from '../support/patience.js';
import { testRunFolder } from '../support/postgres.js';
import { createPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * The drill of docs/operations/backup.md: a base backup and an archive of the log under load, the server lost, its state at a
 * moment in between brought back in another folder. What was committed before that moment is there, what came after is not, the
 * books hold, and work goes on.
 */

const SESSION_TTL_MS = '5000';
const DRILL_MS_MAX = 150_000;

let vendor: Vendor;
let postgres: PrivatePostgres;
let restored: RunningPostgres | null = null;
let cluster: Cluster;
const client = new ClientLog();
const folder = join(testRunFolder(), `backup-${randomBytes(4).toString('hex')}`);
const [archive, backup, restoredData] = ['archive', 'backup', 'restored'].map((name) => join(folder, name)) as [string, string, string];
const processFile = join(testRunFolder(), `restored-${randomBytes(4).toString('hex')}.process.json`);
const processes: AppProcess[] = [];

beforeAll(async () => {
  mkdirSync(archive, { recursive: true });
  // Under root the server runs as another user.
  chmodSync(folder, 0o711);
  chmodSync(archive, 0o777);
  vendor = await startVendor();
  const settings = { archive_mode: 'on', archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f` };
  postgres = await createPrivatePostgres({ settings });
  cluster = await startCluster({ postgres, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'], env: { SESSION_TTL_MS } });
});
afterAll(async () => {
  await Promise.all(processes.map((app) => app.kill()));
  await client.close();
  await cluster?.stop();
  await restored?.stop('immediate');
  await postgres?.remove();
  await vendor?.close();
  rmSync(processFile, { force: true });
  rmSync(folder, { recursive: true, force: true });
});

const grantNow = (): Promise<string> => withOwner(postgres.ownerUrl, (owner) => seedGrant(owner, cluster.tenant.organizationId, '7'));

/** A moment in database time that has passed when this resolves. */
const momentBetween = async (): Promise<{ text: string; ms: number }> => {
  const [moment] = await cluster.sql<{ text: string; ms: number }>('SELECT now()::text AS text, extract(epoch FROM now())::float8 * 1000 AS ms');
  await until('the moment is over', async () => (await cluster.sql("SELECT 1 WHERE clock_timestamp() > $1::timestamptz + interval '20 ms'", [moment!.text])).length > 0);
  return moment!;
};

/** The log up to now is in the archive. */
const untilArchived = async (): Promise<void> => {
  const [last] = await cluster.sql<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
  await until('the log is archived', async () => (await cluster.sql('SELECT 1 FROM pg_stat_archiver WHERE last_archived_wal >= $1', [last!.name])).length > 0, 30_000);
};

const startOn = async (appUrl: string): Promise<AppProcess> => {
  const shared = { HOST: '127.0.0.1', INTERNAL_TOKEN: cluster.internalToken, APP_DATABASE_URL: appUrl, SESSION_TTL_MS, RATING_PAUSE_MS: '200', ...patience };
  const [gatewayPort, metricsPort, meteringPort] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const gateway = new AppProcess({ app: 'gateway', name: `restored-gateway-${gatewayPort}`, port: gatewayPort, env: { ...shared, GATEWAY_PORT: String(gatewayPort), GATEWAY_METRICS_PORT: String(metricsPort) } });
  const metering = new AppProcess({ app: 'metering', name: `restored-metering-${meteringPort}`, port: meteringPort, env: { ...shared, METERING_PORT: String(meteringPort) } });
  processes.push(gateway, metering);
  await Promise.all([gateway.start(), metering.start()]);
  return gateway;
};

/** The same address at another port. */
const at = (url: string, port: number): string => {
  const moved = new URL(url);
  moved.port = String(port);
  return moved.href;
};

/** The invariants by the tests' SQL, then the books by what an operator runs after a restore. */
const expectBooksHold = async (ownerUrl: string): Promise<void> => {
  await expectInvariants(ownerUrl);
  const pool = openAuditPool(ownerUrl);
  try {
    const { holds, checks } = await runReconcile(pool);
    expect([checks.filter(({ found }) => found > 0), holds]).toEqual([[], true]);
  } finally {
    await pool.end();
  }
};

describe('a database that is lost', () => {
  it('comes back as it was at a moment, with every answer that had left by then and nothing of what came after', async () => {
    const load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency: 6, script: () => ({ outputTokens: 6, chunkDelayMs: 5 }) });
    await until('requests are answered', () => client.completed().length > 20);
    await takeBaseBackup(postgres.ownerUrl, postgres.dataFolder, backup);
    const atBackup = client.completed().length;
    await until('more are answered', () => client.completed().length > atBackup + 50);
    const grantBefore = await grantNow();
    const moment = await momentBetween();
    const grantAfter = await grantNow();
    const atMoment = client.completed().length;
    await until('more are answered', () => client.completed().length > atMoment + 50);
    await load.stop();
    await untilArchived();
    await cluster.stop();
    await postgres.stop('immediate');

    restoreBackup(backup, restoredData);
    restored = await startPostgres({
      dataDir: restoredData,
      superuserPassword: 'unused: the folder has its own',
      settings: { restore_command: `cp ${archive}/%f %p`, recovery_target_time: moment.text, recovery_target_action: 'promote' },
    });
    writeFileSync(processFile, JSON.stringify(restored.identity));
    const ownerUrl = at(postgres.ownerUrl, restored.port);
    await until('the recovery is over', async () => withOwner(ownerUrl, async (owner) => (await owner.query('SELECT 1 WHERE NOT pg_is_in_recovery()')).rowCount === 1), 60_000);

    const [grants, usage] = await withOwner(ownerUrl, async (owner) => [
      (await owner.query<{ id: string }>('SELECT id FROM credit_grant')).rows.map(({ id }) => id),
      new Set((await owner.query<{ id: string }>("SELECT id FROM usage WHERE outcome = 'completed'")).rows.map(({ id }) => id)),
    ]);
    expect([grants.includes(grantBefore), grants.includes(grantAfter)]).toEqual([true, false]);
    const [before, after] = [client.completed().filter(({ endedAtMs }) => endedAtMs < moment.ms), client.completed().filter(({ startedAtMs }) => startedAtMs > moment.ms)];
    expect([before.length > 50, after.length > 20]).toEqual([true, true]);
    expect(before.filter(({ requestId }) => !usage.has(requestId!))).toEqual([]);
    expect(after.filter(({ requestId }) => usage.has(requestId!))).toEqual([]);
    await expectBooksHold(ownerUrl);

    // The gateways of that moment are gone: what they held comes back, what they had settled is rated, and work goes on.
    const gateway = await startOn(at(postgres.appUrl, restored.port));
    await until('the sessions of that moment are reaped', async () => withOwner(ownerUrl, async (owner) => (await owner.query('SELECT 1 FROM session WHERE reaped_at IS NULL')).rowCount === 1), 60_000);
    expect(await client.chat({ baseUrl: `${gateway.url}/v1`, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
    await untilRated(ownerUrl);
    await expectBooksHold(ownerUrl);
  }, DRILL_MS_MAX);
});
