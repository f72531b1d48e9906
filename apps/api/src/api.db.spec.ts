import { afterEach, describe, expect, it } from '@jest/globals';
import type { RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import { createTestDatabase, serviceUrl } from '../../../test/support/postgres.js';
import { apiApp } from './app.js';
import { readApiSettings } from './config.js';

const token = 'a-token-of-24-characters';
let running: RunningApp | null = null;

afterEach(async () => {
  await running?.close();
  running = null;
});

const start = async (databaseUrl: string): Promise<{ url: string; metricsUrl: string }> => {
  const settings = readApiSettings({ API_PORT: '0', API_METRICS_PORT: '0', INTERNAL_TOKEN: token, KILOTOKEN_SECRET_KEY: 'k'.repeat(32), APP_DATABASE_URL: databaseUrl, LOG_LEVEL: 'silent' });
  running = await startApp(apiApp, settings, await openLog({ name: 'api', level: 'silent' }));
  return { url: `http://127.0.0.1:${running.port}`, metricsUrl: `http://127.0.0.1:${running.metricsPort}/metrics` };
};

describe('the api', () => {
  it('is alive and ready with its database, and its metrics need the token', async () => {
    const database = await createTestDatabase();
    const { url, metricsUrl } = await start(serviceUrl(database.appUrl, 'api'));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect(await ready.json()).toMatchObject({ status: 'ready', checks: { database: { ok: true } } });
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    expect((await fetch(metricsUrl)).status).toBe(401);
    expect((await fetch(metricsUrl, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    await running?.close();
    await database.drop();
  });

  it("is not ready with the owner's role, which row-level security does not bind", async () => {
    const database = await createTestDatabase();
    const { url } = await start(database.ownerUrl);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    await running?.close();
    await database.drop();
  });

  it('without its database it is alive, says that it is not ready, and does not tell the address', async () => {
    const { url } = await start('postgresql://app:hunter2@127.0.0.1:1/kilotoken');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ status: 'not_ready', checks: { database: { ok: false, reason: 'failed' } } });
  });
});
