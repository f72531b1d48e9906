import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parseApiKey } from '@kilotoken/identity';
import { loadCatalogue } from '@kilotoken/marketplace';
import { createPool } from '@kilotoken/platform';
import type pg from 'pg';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { createEmptyDatabase, createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

let database: TestDatabase;
let owner: pg.Pool;
let folder: string;
let org: string;
let organizations = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-kt-'));
});

afterAll(async () => {
  await owner.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const run = (words: string[], environment: Record<string, string> = { DATABASE_URL: database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control') }): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment, workingFolder: folder, callersFolder: folder, output }));

/** Runs a command that must succeed, and reads its JSON. */
const runJson = async (...words: string[]) => {
  const { exitCode, out, error } = await run([...words, '--json']);
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
  return JSON.parse(out);
};

const refusalOf = async (...words: string[]): Promise<{ exitCode: number; code: string; message: string }> => {
  const { exitCode, out, error } = await run([...words, '--json']);
  expect(out).toBe('');
  return { exitCode, ...(JSON.parse(error) as { error: { code: string; message: string } }).error };
};

beforeEach(async () => {
  org = `acme-${++organizations}`;
  await runJson('orgs', 'create', '--slug', org, '--name', 'Acme Inc.');
  await runJson('projects', 'create', '--org', org, '--name', 'chat');
});

const createKey = (...more: string[]) => runJson('keys', 'create', '--org', org, '--project', 'chat', '--name', 'server', ...more);

describe('the command line', () => {
  test('takes a customer from nothing to a key and money', async () => {
    expect(await runJson('orgs', 'list', '--after', `${org.slice(0, -1)}`, '--limit', '1000')).toEqual(
      expect.arrayContaining([expect.objectContaining({ slug: org, name: 'Acme Inc.', priceBook: 'list', timeZone: 'UTC', status: 'active' })]),
    );
    expect(await runJson('projects', 'list', '--org', org)).toEqual([expect.objectContaining({ name: 'chat', archivedAt: null })]);

    const { key, warnings, ...created } = await createKey('--models', 'mock, second', '--expires', '30d');
    expect(warnings).toEqual([expect.stringContaining('mock, second')]);
    expect(parseApiKey(key).ok).toBe(true);
    expect(created).toMatchObject({ prefix: key.slice(0, 12), status: 'active', allowedModels: ['mock', 'second'] });
    expect(Math.abs(Date.parse(created.expiresAt) - Date.now() - 30 * 86_400_000)).toBeLessThan(60_000);
    expect(await runJson('keys', 'list', '--org', org)).toEqual([created]);

    const grant = await runJson('grants', 'issue', '--org', org, '--amount', '0.000000000001', '--reference', 'order-1');
    expect(grant).toMatchObject({ source: 'prepaid', unit: 'USD', granted: '0.000000000001', available: '0.000000000001', held: '0', used: '0', removed: '0' });
    expect(await runJson('grants', 'list', '--org', org)).toEqual([grant]);
    expect(await runJson('ledger', 'balances', '--org', org)).toEqual([
      { account: 'cash_clearing', unit: 'USD', balance: '0.000000000001' },
      { account: 'grant_liability', unit: 'USD', balance: '-0.000000000001' },
    ]);
    expect(await runJson('ledger', 'verify')).toMatchObject({ balanced: true, imbalances: [] });
  });

  test("says where an organization's days begin, and changes it", async () => {
    const made = await runJson('orgs', 'create', '--slug', `${org}-zone`, '--time-zone', 'Europe/Berlin');
    expect(made.timeZone).toBe('Europe/Berlin');
    const changed = { ...made, timeZone: 'Asia/Kathmandu' };
    expect(await runJson('orgs', 'set', '--org', made.slug, '--time-zone', 'Asia/Kathmandu')).toEqual(changed);
    expect(await runJson('orgs', 'show', '--org', made.id)).toEqual(changed);
    expect(await runJson('orgs', 'list', '--after', org, '--limit', '1')).toEqual([changed]);
    expect((await run(['orgs', 'show', '--org', made.slug])).out).toMatch(/^timeZone +Asia\/Kathmandu$/m);
  });

  test('issues a grant once for a reference', async () => {
    const issue = ['grants', 'issue', '--org', org, '--amount', '10', '--source', 'package', '--reference', 'order-1'];
    expect(await runJson(...issue)).toEqual(await runJson(...issue));
    expect(await runJson('grants', 'list', '--org', org)).toHaveLength(1);
    expect(await refusalOf(...issue.with(5, '11'))).toMatchObject({ exitCode: 1, code: 'grant_reference_used' });
  });

  test('sets what a key says of its requests, and takes it back', async () => {
    const { id, ...made } = (await createKey('--max-tokens-above', 'clamp')) as { id: string };
    expect(made).toMatchObject({ unsupportedParameters: null, maxTokensAbove: 'clamp' });
    const set = (...more: string[]) => runJson('keys', 'set', id, '--org', org, ...more);
    expect(await set('--unsupported-parameters', 'refuse')).toMatchObject({ unsupportedParameters: 'refuse', maxTokensAbove: 'clamp' });
    expect(await set('--max-tokens-above', 'model')).toMatchObject({ unsupportedParameters: 'refuse', maxTokensAbove: null });
  });

  test('rolls and revokes keys', async () => {
    const first = await createKey();
    const second = await runJson('keys', 'roll', first.id, '--org', org, '--overlap', '1h');
    expect(second.key).not.toBe(first.key);
    await runJson('keys', 'revoke', second.id, '--org', org);
    const keys = (await runJson('keys', 'list', '--org', org)) as { id: string; status: string; expiresAt: string | null }[];
    expect(keys.map(({ id, status }) => [id, status])).toEqual([
      [first.id, 'active'],
      [second.id, 'revoked'],
    ]);
    expect(Math.abs(Date.parse(keys[0]!.expiresAt!) - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect(JSON.stringify(keys)).not.toContain(first.key.slice(12));
  });

  test('applies a lanes file relative to where it was called, once', async () => {
    const lane = '{ kind: openai, baseUrl: "http://127.0.0.1:9101/v1", upstreamModel: mock, cost: { currency: USD, per: 1000000, input: "0.10", output: "0.40" } }';
    const sale = '{ currency: USD, per: 1000000, input: "0.15", output: "0.60" }';
    const text = `models:\n  - { model: mock, contextWindow: 1000, maxOutputTokens: 100, sale: ${sale}, lanes: [${lane}] }\n`;
    writeFileSync(join(folder, 'lanes.yaml'), text);
    expect((await runJson('lanes', 'apply', 'lanes.yaml')).map(({ change }: { change: string }) => change)).toEqual(['model_added', 'lane_added', 'price_published']);
    const { version } = await loadCatalogue(owner);
    expect(await runJson('lanes', 'apply', 'lanes.yaml')).toEqual([]);
    expect((await loadCatalogue(owner)).version).toBe(version);
    const cost = { currency: 'USD', per: '1000000', input: '0.1', output: '0.4' };
    expect(await runJson('lanes', 'list')).toEqual([expect.objectContaining({ model: 'mock', position: 0, cost })]);
    const rates = [
      { tokenClass: 'input', amount: '0.15', per: '1000000' },
      { tokenClass: 'output', amount: '0.6', per: '1000000' },
    ];
    expect(await runJson('models', 'list')).toEqual([
      expect.objectContaining({ id: 'mock', contextWindow: 1000, prices: [expect.objectContaining({ priceBook: 'list', rates })] }),
    ]);
    writeFileSync(join(folder, 'lanes.yaml'), text.replace('"0.15"', '0.15'));
    expect(await refusalOf('lanes', 'apply', 'lanes.yaml')).toMatchObject({ exitCode: 1, code: 'lanes_file_invalid', message: expect.stringContaining('line 2') });
  });

  test('warns of lanes whose key is not set here or cannot be sent, and never shows it', async () => {
    const lane = (keyEnv: string): string => `{ kind: openai, baseUrl: "https://${keyEnv.toLowerCase()}.example/v1", upstreamModel: acme-7, keyEnv: ${keyEnv}, cost: { currency: USD, per: 1000000, input: "0.10", output: "0.40" } }`;
    const lanes = ['GOOD', 'UNSET', 'BROKEN'].map(lane).join(', ');
    writeFileSync(join(folder, 'keyed.yaml'), `models:\n  - { model: keyed, contextWindow: 1000, maxOutputTokens: 100, sale: { currency: USD, per: 1000000, input: "0.15", output: "0.60" }, lanes: [${lanes}] }\n`);
    const environment = { DATABASE_URL: database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control'), GOOD: 'sk-abc', BROKEN: 'sk-s3cr3t\n' };
    const problems = ['UNSET is not set: acme-7 at https://unset.example/v1 is not tried without it', 'BROKEN holds a line break: acme-7 at https://broken.example/v1 is not tried without it'];
    for (const words of [['--dry-run'], []]) {
      const { exitCode, error } = await run(['lanes', 'apply', 'keyed.yaml', ...words], environment);
      expect(exitCode).toBe(0);
      for (const problem of problems) expect(error).toContain(`Warning: in this environment ${problem}.\n`);
      expect(error).not.toMatch(/GOOD|s3cr3t/);
    }
    const { out, error } = await run(['lanes', 'apply', 'keyed.yaml', '--json'], environment);
    expect([JSON.parse(out), JSON.parse(error)]).toEqual([[], { warnings: problems.map((problem) => `in this environment ${problem}.`) }]);
  });

  test('prints for people what it prints as JSON, and the key where it can be copied alone', async () => {
    const created = await run(['keys', 'create', '--org', org, '--project', 'chat', '--name', 'server']);
    expect(created.error).toContain('not shown again');
    expect(created.out).toMatch(/^key +kt_live_[0-9A-Za-z]{38}$/m);
    await run(['grants', 'issue', '--org', org, '--amount', '12.5', '--reference', 'a']);
    const { out } = await run(['grants', 'list', '--org', org]);
    expect(out.split('\n')[0]).toMatch(/^SOURCE +UNIT +GRANTED +AVAILABLE/);
    expect(out.split('\n')[1]).toMatch(/^prepaid +USD +12\.5 +12\.5 +0 +0 +0 +–/);
    expect((await run(['keys', 'list', '--org', org])).out).toMatch(/^kt_live_\w{4} +server +active/m);
    const { id: newcomer } = await runJson('orgs', 'create', '--slug', `${org}-x`);
    expect(await run(['ledger', 'balances', '--org', newcomer])).toEqual({ exitCode: 0, out: '', error: 'There are no postings yet.\n' });
  });
});

const countRows = async (): Promise<unknown> => {
  const tables = ['organization', 'project', 'api_key', 'credit_grant', 'model', 'lane'];
  const { rows } = await owner.query(`SELECT ${tables.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(', ')}`);
  return rows[0];
};

describe('what cannot be done is said, with exit code 1, and nothing is changed', () => {
  test.each<[string, string[], string]>([
    ['an unknown organization', ['projects', 'list', '--org', 'nobody'], 'organization_not_found'],
    ['a slug that is taken', ['orgs', 'create', '--slug', 'ORG'], 'organization_exists'],
    ['a slug that is none', ['orgs', 'create', '--slug', 'A B'], 'identity_invalid'],
    ['an unknown price book', ['orgs', 'create', '--slug', 'x', '--price-book', 'none'], 'price_book_not_found'],
    ['an unknown time zone', ['orgs', 'create', '--slug', 'x', '--time-zone', 'Mars'], 'identity_invalid'],
    ['a time zone to change to that is unknown', ['orgs', 'set', '--org', 'ORG', '--time-zone', 'Europe/Atlantis'], 'identity_invalid'],
    ['an organization to change that is unknown', ['orgs', 'set', '--org', 'nobody', '--time-zone', 'UTC'], 'organization_not_found'],
    ['no time zone to change to', ['orgs', 'set', '--org', 'ORG'], 'arguments_invalid'],
    ['an unknown project', ['keys', 'create', '--org', 'ORG', '--project', 'none', '--name', 'x'], 'project_not_found'],
    ['a moment without a zone', ['keys', 'create', '--org', 'ORG', '--project', 'chat', '--name', 'x', '--expires', '2030-01-01T00:00:00'], 'argument_invalid'],
    ['a day that does not exist', ['keys', 'create', '--org', 'ORG', '--project', 'chat', '--name', 'x', '--expires', '2027-02-29'], 'argument_invalid'],
    ['a day in the past', ['keys', 'create', '--org', 'ORG', '--project', 'chat', '--name', 'x', '--expires', '2020-02-29'], 'identity_invalid'],
    ['an empty model', ['keys', 'create', '--org', 'ORG', '--project', 'chat', '--name', 'x', '--models', 'a,,b'], 'argument_invalid'],
    ['a key that is none of its', ['keys', 'revoke', '01890000-0000-7000-8000-000000000000', '--org', 'ORG'], 'api_key_not_found'],
    ['a key that is none', ['keys', 'roll', "' OR 1=1--", '--org', 'ORG'], 'api_key_not_found'],
    ['an amount with a comma', ['grants', 'issue', '--org', 'ORG', '--amount', '1,000'], 'grant_invalid'],
    ['a negative amount', ['grants', 'issue', '--org', 'ORG', '--amount=-1'], 'grant_invalid'],
    ['13 decimals', ['grants', 'issue', '--org', 'ORG', '--amount', '0.0000000000001'], 'grant_invalid'],
    ['an unknown source', ['grants', 'issue', '--org', 'ORG', '--amount', '1', '--source', 'gift'], 'grant_invalid'],
    ['a priority that is none', ['grants', 'issue', '--org', 'ORG', '--amount', '1', '--priority', '1.5'], 'argument_invalid'],
    ['a file that is missing', ['lanes', 'apply', 'missing.yaml'], 'lanes_file_unreadable'],
    ['a missing option', ['grants', 'issue', '--org', 'ORG'], 'arguments_invalid'],
    ['an unknown option', ['grants', 'list', '--org', 'ORG', '--all'], 'arguments_invalid'],
    ['an unknown command', ['grants', 'delete', '--org', 'ORG'], 'arguments_invalid'],
  ])('%s', async (_name, words, code) => {
    const before = await countRows();
    const refusal = await refusalOf(...words.map((word) => (word === 'ORG' ? org : word)));
    expect(refusal).toMatchObject({ exitCode: 1, code, message: expect.stringMatching(/./) });
    expect(await countRows()).toEqual(before);
  });

  test('a ledger that is not balanced', async () => {
    const broken = await createTestDatabase();
    const pool = createPool({ connectionString: broken.ownerUrl, max: 1, applicationName: 'test' });
    try {
      await pool.query("INSERT INTO ledger_transaction (organization_id, id, kind, source_id, position, previous_hash, hash) VALUES (uuidv7(), uuidv7(), 'test', 'x', 1, '', '')");
      const { exitCode, out, error } = await run(['ledger', 'verify', '--json'], { DATABASE_URL: broken.ownerUrl });
      expect(exitCode).toBe(1);
      expect(JSON.parse(out)).toMatchObject({ balanced: false, transactions: '1', imbalances: [expect.objectContaining({ kind: 'test' })] });
      expect(JSON.parse(error)).toMatchObject({ error: { code: 'ledger_unbalanced' } });
    } finally {
      await pool.end();
      await broken.drop();
    }
  });

  test('a database that was not migrated, and the login of an application', async () => {
    const empty = await createEmptyDatabase();
    try {
      expect(await run(['orgs', 'list'], { DATABASE_URL: empty.ownerUrl })).toMatchObject({ exitCode: 1, error: expect.stringContaining('npm start') });
    } finally {
      await empty.drop();
    }
    expect(await run(['orgs', 'create', '--slug', 'x'], { DATABASE_URL: database.appUrl })).toMatchObject({ exitCode: 1, error: expect.stringContaining('owner') });
  });
});

describe('the database', () => {
  test.each<[string, (url: URL) => void]>([
    ['does not listen', (url) => (url.port = '1')],
    ['does not exist', (url) => (url.pathname = '/nothing')],
    ['does not take the password', (url) => (url.password = 'not-this-one')],
  ])('that %s: exit code 2, for both of its readers', async (_name, change) => {
    const url = new URL(database.ownerUrl);
    change(url);
    for (const words of [['orgs', 'list'], ['lanes', 'list']]) {
      const { exitCode, out, error } = await run(words, { DATABASE_URL: url.href });
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
      expect(error).toMatch(/^The database cannot be reached: .*\n$/);
      expect(error).not.toContain(url.password);
    }
  });

  test('is that of the installation where DATABASE_URL is not set', async () => {
    writeFileSync(join(folder, 'quickstart.json'), JSON.stringify({ databaseUrl: database.ownerUrl, apiKey: 'kt_live_' }));
    expect(await run(['orgs', 'list', '--json'], { KILOTOKEN_HOME: folder, DATABASE_URL: '' })).toMatchObject({ exitCode: 0, out: expect.stringContaining(org) });
    writeFileSync(join(folder, 'quickstart.json'), '{"databaseUrl"');
    expect(await run(['orgs', 'list'], { KILOTOKEN_HOME: folder })).toMatchObject({ exitCode: 2, error: expect.stringContaining('quickstart.json') });
    expect(await run(['orgs', 'list'], { KILOTOKEN_HOME: join(folder, 'none') })).toMatchObject({ exitCode: 2, error: expect.stringContaining('does not exist') });
    expect(await run(['orgs', 'list'], { DATABASE_URL: 'mysql://x/y' })).toMatchObject({ exitCode: 1, error: expect.stringContaining('DATABASE_URL') });
  });

  test('is reached with the login of the control plane, which records who runs the command', async () => {
    writeFileSync(join(folder, 'quickstart.json'), JSON.stringify({ databaseUrl: 'postgresql://nobody:x@127.0.0.1:1/none', controlDatabaseUrl: serviceUrl(database.appUrl, 'control') }));
    expect(await run(['orgs', 'create', '--slug', 'recorded'], { KILOTOKEN_HOME: folder })).toMatchObject({ exitCode: 0, error: '' });
    const { rows } = await owner.query("SELECT actor_kind, actor_id, change FROM control_change WHERE table_name = 'organization' ORDER BY id DESC LIMIT 1");
    expect(rows).toEqual([{ actor_kind: 'kt', actor_id: `${userInfo().username}@${hostname()}`, change: 'insert' }]);
  });

  test('is not needed for help', async () => {
    for (const words of [['--help'], ['keys', '--help'], ['grants', 'issue', '--help']]) {
      expect(await run(words, { KILOTOKEN_HOME: join(folder, 'none') })).toMatchObject({ exitCode: 0, error: '', out: expect.stringContaining('Usage:') });
    }
  });
});
