import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { findFreePort } from '@kilotoken/tools/free-port';
import { AppProcess } from './cluster-process.js';
import { seedTenant, type SeededTenant, type SeedOptions } from './cluster-seed.js';
import { expectInvariants, untilRated, withOwner, type InvariantOptions } from './invariants.js';
import { patience } from './patience.js';
import { createTestDatabase, serviceUrl } from './postgres.js';
import { expectReconciled } from './reconciled.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { until } from './until.js';

/**
 * Real gateways and a real metering process against a database of their own, with a tenant that can buy.
 *
 *   const cluster = await startCluster({ gateways: 2, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['10'] });
 */

export interface ClusterOptions extends SeedOptions {
  gateways?: number;
  metering?: boolean;
  /** Settings of every process. */
  env?: Record<string, string>;
  /** Settings of each gateway, by its number. */
  gatewayEnv?: Record<string, string>[];
  /** A proxy of its own between each gateway and Postgres. */
  proxied?: boolean;
  /** A Postgres of the test's own, which the test removes; otherwise a new database in the one of the run. */
  postgres?: { ownerUrl: string; appUrl: string };
}

export interface Cluster {
  gateways: AppProcess[];
  metering: AppProcess | null;
  /** End in /v1. */
  gatewayUrls: string[];
  /** One for each gateway where `proxied` was asked for. */
  proxies: TcpProxy[];
  tenant: SeededTenant;
  apiKey: string;
  ownerUrl: string;
  appUrl: string;
  internalToken: string;
  /** A statement as the owner. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Waits until no request is open and all is rated, then checks every invariant, twice: by the tests' SQL and by `reconcile`. */
  expectSettled(options?: InvariantOptions): Promise<void>;
  /** Waits until the session of a process that died has been reaped. */
  untilReaped(pid: number, timeoutMs?: number): Promise<void>;
  logs(): string;
  /** Kills every process and drops the database. */
  stop(): Promise<void>;
}

const REAPED_MS_MAX = 60_000;
const OPEN_MS_MAX = 60_000;

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const database = options.postgres ? null : await createTestDatabase();
  const { ownerUrl, appUrl } = options.postgres ?? database!;
  const proxies: TcpProxy[] = [];
  const processes: AppProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((app) => app.kill()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await database?.drop();
  };
  try {
    const tenant = await withOwner(ownerUrl, (client) => seedTenant(client, options));
    const run = randomBytes(3).toString('hex');
    const internalToken = randomBytes(16).toString('hex');
    // Tests wait for rating and rollups far more often than a process does.
    const shared = { HOST: '127.0.0.1', INTERNAL_TOKEN: internalToken, LOG_LEVEL: 'info', RATING_PAUSE_MS: '200', ROLLUP_PAUSE_MS: '300', ...patience, ...options.env };
    const gateways: AppProcess[] = [];
    for (let index = 0; index < (options.gateways ?? 1); index += 1) {
      let databaseUrl = serviceUrl(appUrl, 'gateway');
      if (options.proxied) {
        const target = new URL(appUrl);
        const proxy = await startTcpProxy({ host: target.hostname, port: Number(target.port) });
        proxies.push(proxy);
        databaseUrl = proxy.through(databaseUrl);
      }
      const [port, metricsPort] = [await findFreePort(), await findFreePort()];
      const env = { ...shared, GATEWAY_PORT: String(port), GATEWAY_METRICS_PORT: String(metricsPort), APP_DATABASE_URL: databaseUrl, ...options.gatewayEnv?.[index] };
      gateways.push(new AppProcess({ app: 'gateway', name: `gateway-${run}-${index}`, port, env }));
    }
    let metering: AppProcess | null = null;
    if (options.metering !== false) {
      const port = await findFreePort();
      metering = new AppProcess({ app: 'metering', name: `metering-${run}`, port, env: { ...shared, METERING_PORT: String(port), APP_DATABASE_URL: serviceUrl(appUrl, 'metering') } });
    }
    processes.push(...gateways, ...(metering ? [metering] : []));
    await Promise.all(processes.map((app) => app.start()));
    return describeCluster({ gateways, metering, proxies, tenant, ownerUrl, appUrl, internalToken, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

type Parts = Pick<Cluster, 'gateways' | 'metering' | 'proxies' | 'tenant' | 'ownerUrl' | 'appUrl' | 'internalToken' | 'stop'>;

function describeCluster(parts: Parts): Cluster {
  const { gateways, metering, tenant, ownerUrl } = parts;
  const sql: Cluster['sql'] = (text, values) => withOwner(ownerUrl, async (client) => (await client.query(text, values)).rows);
  return {
    ...parts,
    gatewayUrls: gateways.map(({ url }) => `${url}/v1`),
    apiKey: tenant.keys[0]!.key,
    sql,
    expectSettled: async (options) => {
      await until('no request is open', async () => (await sql('SELECT 1 FROM open_request LIMIT 1')).length === 0, OPEN_MS_MAX);
      if (metering) await untilRated(ownerUrl);
      await expectInvariants(ownerUrl, options);
      await expectReconciled(ownerUrl);
    },
    untilReaped: async (pid, timeoutMs = REAPED_MS_MAX) => {
      await until(
        `the session of process ${pid} is reaped`,
        async () => (await sql('SELECT 1 FROM session WHERE pid = $1 AND reaped_at IS NULL', [pid])).length === 0,
        timeoutMs,
      );
    },
    logs: () => [...gateways, ...(metering ? [metering] : [])].map((app) => app.logs()).join('\n'),
  };
}
