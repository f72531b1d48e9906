import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { findFreePort } from '../free-port.js';
import { startBenchApp, type App } from './app.js';
import { connect, startBenchDatabase } from './database.js';
import { openInspector, type Inspector } from './inspector.js';
import type { Cleanup } from './run.js';
import { seedCatalogue, seedLimits, seedOrganizations } from './seed.js';

/** One gateway with everything on, with its own folder and Postgres. */
export interface InstallationOptions {
  readonly vendorOrigin: string;
  /** The number of stored organizations beside the buyer of the comparison. */
  readonly organizations: number;
  /** The buyer is under limits. */
  readonly limited: boolean;
  readonly inspected: boolean;
  readonly settings: Readonly<Record<string, string>>;
  readonly postgres: Readonly<Record<string, string>>;
}

export interface Installation {
  readonly gateway: App;
  readonly metering: App;
  readonly postgresPid: number;
  readonly owner: pg.Client;
  /** The key of the comparison's buyer. */
  readonly key: string;
  /** The keys of the other organizations. */
  readonly otherKeys: readonly string[];
  readonly inspector: Inspector | null;
  /** The settings that money depends on, as the application's login sees them. */
  readonly durability: Readonly<Record<string, string>>;
}

export const startInstallation = async (options: InstallationOptions, cleanup: Cleanup): Promise<Installation> => {
  const { folder, postgresPid, ownerUrl, appUrl, gatewayUrl, meteringUrl } = await startBenchDatabase(options.postgres, cleanup);
  const owner = await connect(ownerUrl);
  cleanup.push(() => owner.end().catch(() => undefined));

  const priceBookId = await seedCatalogue(owner, `${options.vendorOrigin}/v1`);
  const [key] = await seedOrganizations(owner, priceBookId, 1);
  if (options.limited) await seedLimits(owner);
  const otherKeys = await seedOrganizations(owner, priceBookId, options.organizations);
  // A database that has run for a while has statistics.
  await owner.query('VACUUM ANALYZE');

  const shared = { HOST: '127.0.0.1', INTERNAL_TOKEN: randomBytes(16).toString('hex'), LOG_LEVEL: 'info', ...options.settings };
  const [gatewayPort, gatewayMetricsPort, meteringPort, inspectPort] = [await findFreePort(), await findFreePort(), await findFreePort(), await findFreePort()];
  const metering = await startBenchApp({ name: 'metering', port: meteringPort, folder, settings: { ...shared, METERING_PORT: String(meteringPort), APP_DATABASE_URL: meteringUrl } });
  cleanup.push(metering.stop);
  const gateway = await startBenchApp({
    name: 'gateway',
    port: gatewayPort,
    folder,
    settings: { ...shared, GATEWAY_PORT: String(gatewayPort), GATEWAY_METRICS_PORT: String(gatewayMetricsPort), APP_DATABASE_URL: gatewayUrl },
    ...(options.inspected ? { inspectPort } : {}),
  });
  cleanup.push(gateway.stop);
  const inspector = options.inspected ? await openInspector(inspectPort) : null;
  cleanup.push(() => inspector?.close());
  return { gateway, metering, postgresPid, owner, key: key!, otherKeys, inspector, durability: await readDurability(appUrl) };
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
