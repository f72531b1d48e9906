import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { appLoginName, ensureAppLogin, migrateDatabase } from '@kilotoken/platform';
import { findFreePort } from '@kilotoken/tools/free-port';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { AppProcess, type AppName } from '../support/cluster-process.js';
import { seedTenant, type SeededTenant } from '../support/cluster-seed.js';
import { expectInvariants, untilRated, withOwner } from '../support/invariants.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { patience } from '../support/patience.js';
import { createEmptyDatabase, testRunFolder } from '../support/postgres.js';
import { buildPreviousRelease, hasPreviousRelease, previousVersion, type BuiltRelease } from '../support/previous-release.js';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * An upgrade without a pause: the previous release serves, its database is migrated under load, this release's processes
 * come beside its, both serve and rate, then the previous ones are stopped. Nothing is lost and nothing is billed twice.
 */

const UPGRADE_MS_MAX = 240_000;
const CONCURRENCY = 8;
const { version: thisRelease } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

let vendor: Vendor;
let database: { ownerUrl: string; drop(): Promise<void> };
let previous: BuiltRelease;
let tenant: SeededTenant;
let appUrl: string;
const client = new ClientLog();
const processes: AppProcess[] = [];
const folder = join(testRunFolder(), `previous-${randomBytes(4).toString('hex')}`);
const internalToken = randomBytes(16).toString('hex');

beforeAll(async () => {
  if (!hasPreviousRelease()) return;
  previous = buildPreviousRelease(folder, ['gateway', 'metering']);
  vendor = await startVendor();
  database = await createEmptyDatabase();
  const { ownerUrl } = database;
  await migrateDatabase(ownerUrl, { ...previous.database });
  appUrl = await ensureAppLogin(ownerUrl, appLoginName(new URL(ownerUrl).pathname.slice(1)), randomBytes(16).toString('hex'));
  tenant = await withOwner(ownerUrl, (owner) => seedTenant(owner, { models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['2', '100'] }));
}, UPGRADE_MS_MAX);
afterAll(async () => {
  await Promise.all(processes.map((app) => app.kill()));
  await client.close();
  await vendor?.close();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const start = async (app: AppName, release: BuiltRelease | null): Promise<AppProcess> => {
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const ports: Record<string, string> = app === 'gateway' ? { GATEWAY_PORT: String(port), GATEWAY_METRICS_PORT: String(metricsPort) } : { METERING_PORT: String(port) };
  const env = { HOST: '127.0.0.1', INTERNAL_TOKEN: internalToken, APP_DATABASE_URL: appUrl, SESSION_TTL_MS: '5000', CHECKPOINT_MS: '300', RATING_PAUSE_MS: '200', ...patience, ...ports };
  const started = new AppProcess({ app, name: `${release ? 'previous' : 'this'}-${app}-${port}`, port, env, ...(release ? { appsFolder: release.appsFolder } : {}) });
  processes.push(started);
  await started.start();
  return started;
};

const loadOn = (gateways: readonly AppProcess[]) =>
  startLoad(client, {
    baseUrls: gateways.map(({ url }) => `${url}/v1`),
    apiKey: tenant.keys[0]!.key,
    concurrency: CONCURRENCY,
    script: (request) => (request % 5 === 0 ? { outputTokens: 40, chunkDelayMs: 40 } : { outputTokens: 5 + (request % 7), chunkDelayMs: 5 }),
  });

const untilMoreAnswers = async (count: number): Promise<void> => {
  const before = client.completed().length;
  await until(`${count} more are answered`, () => client.completed().length >= before + count, 30_000);
};

/** A migration may chain what was posted before there was a chain; from here on ledger rows are only inserted. */
const forgetMigration = (): Promise<void> =>
  withOwner(database.ownerUrl, async (owner) => {
    // A session counts what it updated until it is gone.
    await until('the migration has left', async () => (await owner.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'kilotoken-migrate%' AND datname = current_database()")).rowCount === 0);
    await owner.query("SELECT pg_stat_reset_single_table_counters(table_name) FROM unnest(ARRAY['ledger_transaction', 'ledger_posting']::regclass[]) table_name");
  });

describe('an upgrade under load', () => {
  itNeeds('previous-release')('loses nothing and bills nothing twice while the previous release and this one run on one database', async () => {
    const { ownerUrl } = database;
    const [oldGateway, oldMetering] = await Promise.all([start('gateway', previous), start('metering', previous)]);
    const oldLoad = loadOn([oldGateway]);
    await untilMoreAnswers(50);
    await migrateDatabase(ownerUrl);
    await forgetMigration();
    await untilMoreAnswers(50);

    const [gateway, metering] = await Promise.all([start('gateway', null), start('metering', null)]);
    const load = loadOn([oldGateway, gateway]);
    await untilMoreAnswers(200);
    const { rows: sessions } = await withOwner(ownerUrl, (owner) => owner.query<{ pid: number; release: string }>('SELECT pid, release FROM session WHERE reaped_at IS NULL ORDER BY release'));
    expect(sessions).toEqual([{ pid: oldGateway.pid, release: previousVersion }, { pid: gateway.pid, release: thisRelease }]);

    // One by one, as a rolling upgrade stops them; a gateway that is killed instead is reaped by whoever is left.
    await oldLoad.stop();
    await oldMetering.kill('SIGTERM');
    await untilMoreAnswers(50);
    await load.stop();
    await oldGateway.kill('SIGKILL');
    expect(await client.chat({ baseUrl: `${gateway.url}/v1`, apiKey: tenant.keys[0]!.key })).toMatchObject({ completed: true });
    expect(metering.hasEnded()).toBe(false);

    await until('the previous gateway is reaped', async () => withOwner(ownerUrl, async (owner) => (await owner.query('SELECT 1 FROM session WHERE reaped_at IS NULL')).rowCount === 1), 30_000);
    await untilRated(ownerUrl);
    await expectInvariants(ownerUrl);
    expect(client.entries.filter(({ completed }) => !completed)).toEqual([]);
    const { agreed } = await expectLogsAgree(ownerUrl, { client: client.entries, vendor: vendor.log() });
    expect(agreed).toBeGreaterThan(300);
  }, UPGRADE_MS_MAX);
});
