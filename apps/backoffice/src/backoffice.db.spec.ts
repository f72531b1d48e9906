import { afterEach, describe, expect, it } from '@jest/globals';
import { parseConfig, type RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import { until } from '../../../test/support/until.js';
import { createTestDatabase, serviceUrl } from '../../../test/support/postgres.js';
import { backofficeApp } from './app.js';
import { backofficeSettings, readBackofficeSettings } from './config.js';

const token = 'a-token-of-24-characters';
const authorized = { headers: { authorization: `Bearer ${token}` } };
let running: RunningApp | null = null;

afterEach(async () => {
  await running?.close();
  running = null;
});

const start = async (databaseUrl: string): Promise<string> => {
  const settings = parseConfig(backofficeSettings, { BACKOFFICE_PORT: '0', INTERNAL_TOKEN: token, APP_DATABASE_URL: databaseUrl, LOG_LEVEL: 'silent', NIGHTLY_CHECK_MS: '3600000' });
  running = await startApp(backofficeApp, settings, await openLog({ name: 'backoffice', level: 'silent' }));
  return `http://127.0.0.1:${running.port}`;
};

describe('the backoffice', () => {
  it('the backoffice answers its health to anybody, and everything else, metrics too, to the token alone', async () => {
    const database = await createTestDatabase();
    const url = await start(serviceUrl(database.appUrl, 'backoffice'));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const report = await until('its workers work', async () => {
      const answer = await fetch(`${url}/readyz`);
      return answer.ok ? answer.json() : null;
    });
    expect(report).toMatchObject({ status: 'ready', checks: { database: { ok: true }, queue: { ok: true }, jobs: { ok: true } } });
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/anything`)).status).toBe(401);
    expect((await fetch(`${url}/metrics`, authorized)).status).toBe(200);
    expect((await fetch(`${url}/anything`, authorized)).status).toBe(404);
    await running?.close();
    await database.drop();
  });

  it('a malformed REDIS_URL is refused before the process starts', () => {
    const environment = { INTERNAL_TOKEN: token, APP_DATABASE_URL: 'postgresql://a:b@127.0.0.1/c', REDIS_URL: 'localhost:6379' };
    expect(() => parseConfig(backofficeSettings, environment)).toThrow('REDIS_URL is wrong: must be an address such as redis://127.0.0.1:6379');
  });

  it('a mail server needs a sender of its mails', () => {
    const environment = { INTERNAL_TOKEN: token, APP_DATABASE_URL: 'postgresql://a:b@127.0.0.1/c', SMTP_URL: 'smtp://127.0.0.1:25' };
    expect(() => readBackofficeSettings(environment)).toThrow('MAIL_FROM is not set');
    expect(readBackofficeSettings({ ...environment, MAIL_FROM: 'notices@example.com' }).SMTP_URL).toBe('smtp://127.0.0.1:25');
    expect(() => readBackofficeSettings({ ...environment, SMTP_URL: 'http://127.0.0.1', MAIL_FROM: 'x' })).toThrow(/SMTP_URL is wrong.*\n.*MAIL_FROM is wrong/s);
  });
});
