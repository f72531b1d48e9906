import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createPool } from '@kilotoken/platform';
import type pg from 'pg';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

let database: TestDatabase;
let owner: pg.Pool;
let org: string;
let organizations = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});
beforeEach(async () => {
  org = `acme-${++organizations}`;
  await runJson('orgs', 'create', '--slug', org);
});

const run = (words: string[], settings: Record<string, string> = {}): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment: { DATABASE_URL: database.ownerUrl, KILOTOKEN_SECRET_KEY: 'k'.repeat(32), CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control'), ...settings }, workingFolder: '/', callersFolder: '/', output }));

const runJson = async (...words: string[]) => {
  const { exitCode, out, error } = await run([...words, '--json'], { WEBHOOK_ALLOW_PRIVATE: '1' });
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
  return JSON.parse(out);
};

const refusalOf = async (words: string[], environment: Record<string, string> = {}): Promise<{ code: string; message: string }> => {
  const { exitCode, out, error } = await run([...words, '--json'], environment);
  expect([exitCode, out]).toEqual([1, '']);
  return (JSON.parse(error) as { error: { code: string; message: string } }).error;
};

const allowed = { WEBHOOK_ALLOW_PRIVATE: '1' };
const add = (url: string, ...more: string[]) => runJson('webhooks', 'add', '--org', org, '--url', url, ...more);

describe('kt webhooks', () => {
  test('adds an endpoint and shows its secret once, for the events that were asked for', async () => {
    const { secret, ...added } = await add('http://127.0.0.1:1/hook', '--kinds', 'key.created, grant.low', '--description', 'ours');
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(added).toMatchObject({ url: 'http://127.0.0.1:1/hook', description: 'ours', kinds: ['grant.low', 'key.created'], status: 'enabled' });
    const listed = await runJson('webhooks', 'list', '--org', org);
    expect(listed).toEqual([added]);
    expect(JSON.stringify(listed)).not.toContain(secret);
  });

  test('changes the secret, disables, enables and removes', async () => {
    const { id, secret } = await add('http://127.0.0.1:1/hook');
    const rotated = await runJson('webhooks', 'rotate', id, '--org', org, '--overlap', '1h');
    expect([rotated.id, rotated.secret === secret]).toEqual([id, false]);
    expect(await runJson('webhooks', 'disable', id, '--org', org)).toMatchObject({ id, status: 'disabled' });
    expect(await runJson('webhooks', 'enable', id, '--org', org)).toMatchObject({ id, status: 'enabled', disabledAt: null });
    await runJson('webhooks', 'remove', id, '--org', org);
    expect(await runJson('webhooks', 'list', '--org', org)).toEqual([]);
    expect(await refusalOf(['webhooks', 'enable', id, '--org', org])).toMatchObject({ code: 'webhook_endpoint_not_found' });
  });

  test.each([
    ['http', 'http://93.184.216.34/'],
    ['this machine', 'https://127.0.0.1/'],
    ['this machine by name', 'https://localhost/'],
    ['any address', 'https://0.0.0.0/'],
    ['IPv4 in IPv6', 'https://[::ffff:127.0.0.1]/'],
    ['metadata', 'https://169.254.169.254/latest/meta-data/'],
    ['a file', 'file:///etc/passwd'],
    ['a user', 'https://user@example.com/'],
    ['a line end', 'https://example.com/\r\nx: y'],
  ])('refuses an address of %s', async (_name, url) => {
    expect(await refusalOf(['webhooks', 'add', '--org', org, '--url', url])).toMatchObject({ code: 'webhook_url_refused' });
    expect(await runJson('webhooks', 'list', '--org', org)).toEqual([]);
  });

  test('refuses an address twice, more than twenty, and events that there are not', async () => {
    await add('http://127.0.0.1:1/hook');
    expect(await refusalOf(['webhooks', 'add', '--org', org, '--url', 'http://127.0.0.1:1/hook'], allowed)).toMatchObject({ code: 'webhook_endpoint_exists' });
    expect(await refusalOf(['webhooks', 'add', '--org', org, '--url', 'http://127.0.0.1:2/', '--kinds', 'grant.stolen'], allowed)).toMatchObject({ code: 'events_invalid' });
    for (let count = 2; count <= 20; count += 1) await add(`http://127.0.0.1:${count}/hook`);
    expect(await refusalOf(['webhooks', 'add', '--org', org, '--url', 'http://127.0.0.1:99/'], allowed)).toMatchObject({ code: 'webhook_endpoints_full' });
  });

  test('shows deliveries and sends dead ones again', async () => {
    const { id: endpointId } = await add('http://127.0.0.1:1/hook');
    await runJson('grants', 'issue', '--org', org, '--amount', '1', '--reference', 'order-1');
    await owner.query("SELECT events_dispatch(100, '{}')");
    await owner.query("UPDATE outbox_job SET status = 'dead', finished_at = kt_now(), attempts = 10, outcome = '{\"ok\": false}'");
    const [delivery] = await runJson('webhooks', 'deliveries', '--org', org, '--status', 'dead', '--endpoint', endpointId);
    expect(delivery).toMatchObject({ kind: 'grant.issued', to: endpointId, status: 'dead', attempts: 10, nextAt: null, outcome: { ok: false } });
    expect(await runJson('webhooks', 'replay', '--dead', '--org', org)).toEqual({ replayed: 1 });
    expect(await runJson('webhooks', 'deliveries', '--org', org)).toMatchObject([{ id: delivery.id, status: 'waiting', attempts: 0, finishedAt: null }]);
    expect(await runJson('webhooks', 'replay', delivery.id, '--org', org)).toEqual({ replayed: 1 });
    expect((await run(['webhooks', 'replay', '--org', org])).exitCode).toBe(1);
    expect(await refusalOf(['webhooks', 'replay', endpointId, '--org', org])).toMatchObject({ code: 'delivery_not_found' });
    expect(await refusalOf(['webhooks', 'deliveries', '--org', org, '--status', 'lost'])).toMatchObject({ code: 'events_invalid' });
  });
});

describe('kt notices', () => {
  test('sets where mails go and below which balances, and takes either away', async () => {
    expect(await runJson('notices', 'set', '--org', org, '--balance-low', '5.50', '--unit', 'USD', '--email', 'billing@example.com')).toEqual({
      email: 'billing@example.com',
      balanceLow: [{ unit: 'USD', threshold: '5.5', isLow: false }],
    });
    await runJson('notices', 'set', '--org', org, '--balance-low', '100', '--unit', 'qwen-pack');
    expect(await runJson('notices', 'set', '--org', org, '--no-email')).toMatchObject({ email: null, balanceLow: [{ unit: 'USD' }, { unit: 'qwen-pack' }] });
    await runJson('notices', 'set', '--org', org, '--balance-low', 'none');
    expect(await runJson('notices', 'show', '--org', org)).toEqual({ email: null, balanceLow: [{ unit: 'qwen-pack', threshold: '100', isLow: false }] });
  });

  test.each([
    ['an address with a line end', ['--email', 'a@example.com\r\nBcc: b@example.com']],
    ['two addresses', ['--email', 'a@example.com,b@example.com']],
    ['a threshold of nothing', ['--balance-low', '0']],
    ['a negative threshold', ['--balance-low=-5']],
    ['a unit that is none', ['--balance-low', '5', '--unit', 'US D']],
    ['nothing at all', []],
  ])('refuses %s', async (_name, words) => {
    expect(await refusalOf(['notices', 'set', '--org', org, ...words])).toMatchObject({ code: 'events_invalid' });
  });
});
