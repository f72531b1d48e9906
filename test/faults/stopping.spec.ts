import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exitCodes } from '@kilotoken/platform/process';
import { findFreePort } from '@kilotoken/tools/free-port';
import { startCluster, type Cluster } from '../support/cluster.js';
import { AppProcess, type AppName } from '../support/cluster-process.js';
import { askAs } from '../support/limits.js';
import { serviceUrl, testRunFolder } from '../support/postgres.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** What a process waits for that is asked to stop while its database cannot be reached: nothing that cannot come. */

/** Far below DRAIN_MS as it is set here, and below what statements that nobody answers take to give up. */
const STOP_MS_MAX = 15_000;
const DRAIN_MS = '300000';
const TEST_MS_MAX = 120_000;

let vendor: Vendor;
let cluster: Cluster;
let proxy: TcpProxy;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    proxied: true, metering: true, models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'], env: { SESSION_TTL_MS: '5000' }, gatewayEnv: [{ DRAIN_MS }],
  });
  const { hostname, port } = new URL(cluster.appUrl);
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
});
afterAll(async () => {
  await cluster?.stop();
  await proxy?.close();
  await vendor?.close();
});

const createApp = async (app: AppName): Promise<AppProcess> => {
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const ports = { [`${app.toUpperCase()}_PORT`]: String(port), API_METRICS_PORT: String(metricsPort) };
  const home = mkdtempSync(join(testRunFolder(), 'home-'));
  const env = { HOST: '127.0.0.1', INTERNAL_TOKEN: cluster.internalToken, LOG_LEVEL: 'info', DRAIN_MS, APP_DATABASE_URL: proxy.through(app === 'inference-worker' ? cluster.appUrl : serviceUrl(cluster.appUrl, app)), KILOTOKEN_HOME: home, KILOTOKEN_SECRET_KEY: cluster.internalToken.repeat(2), ...ports };
  return new AppProcess({ app, name: `${app}-${randomBytes(3).toString('hex')}`, port, env });
};

const faults: readonly (readonly [string, (proxy: TcpProxy) => void])[] = [
  [
    'refuses connections',
    (of) => {
      of.refuse(true);
      of.resetAll();
    },
  ],
  ['is silent', (of) => of.setFaults({ paused: true })],
];

const mend = (of: TcpProxy): void => {
  of.refuse(false);
  of.heal();
};

const expectToStop = async (app: AppProcess): Promise<void> => {
  app.signal('SIGTERM');
  const { code } = await app.untilExit(STOP_MS_MAX).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${app.logs()}`);
  });
  expect([exitCodes.stopped, exitCodes.drainTimedOut]).toContain(code);
};

describe.each(faults)('a database that %s', (_fault, breakDatabase) => {
  it('lets each internal process and the api stop within seconds', async () => {
    const apps = await Promise.all((['backoffice', 'metering', 'api'] as const).map(createApp));
    try {
      await Promise.all(apps.map((app) => app.start()));
      breakDatabase(proxy);
      await Promise.all(apps.map((app) => until(`${app.name} has noticed`, async () => !(await app.isReady()))));
      await Promise.all(apps.map(expectToStop));
    } finally {
      await Promise.all(apps.map((app) => app.kill()));
      mend(proxy);
    }
  }, TEST_MS_MAX);

  it('lets a gateway stop within seconds that has settled what it served; its reaper gives back its leases', async () => {
    const [gateway] = cluster.gateways as [AppProcess];
    const [ofGateway] = cluster.proxies as [TcpProxy];
    const { pid } = gateway;
    try {
      expect((await askAs(cluster, cluster.tenant)()).status).toBe(200);
      breakDatabase(ofGateway);
      await expectToStop(gateway);
    } finally {
      mend(ofGateway);
    }
    await cluster.untilReaped(pid);
    await cluster.expectSettled();
    await gateway.restart();
  }, TEST_MS_MAX);
});
