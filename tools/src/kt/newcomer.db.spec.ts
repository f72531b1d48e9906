import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testSecretKey } from '../../../test/support/backoffice.js';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

/** What helps a person in a hurry: refusals name what was typed, names do where they are unique, and nothing has to be tried out to be seen. */

let database: TestDatabase;
let folder: string;

const run = (words: string[]): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment: { DATABASE_URL: database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control'), KILOTOKEN_SECRET_KEY: testSecretKey }, workingFolder: folder, callersFolder: folder, output }));

const runJson = async (...words: string[]) => {
  const { exitCode, out, error } = await run([...words, '--json']);
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
  return JSON.parse(out);
};

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-kt-'));
  await runJson('orgs', 'create', '--slug', 'acme', '--name', 'Acme Inc.');
  await runJson('projects', 'create', '--org', 'acme', '--name', 'chat');
  await runJson('keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'server');
});

afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

describe('a refusal names the option or argument', () => {
  const key = ['keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'x'];
  const limit = ['limits', 'set', '--org', 'acme', '--measure', 'requests', '--per', '1m'];
  test.each<[string[], string]>([
    [[...key, '--expires', '2020-02-29'], '--expires: must be in the future'],
    [[...key, '--expires', 'soon'], '--expires: '],
    [[...key, '--models', '!'], '--models: must be the id of a model'],
    [['keys', 'create', '--org', 'acme', '--project', 'chat', '--name', ' '], '--name: must not be empty'],
    [['keys', 'roll', 'server', '--org', 'acme', '--overlap', '91d'], '--overlap: must be at most 90 days'],
    [['keys', 'list', '--org', 'acme', '--after', 'x'], '--after: must be an id'],
    [['keys', 'list', '--org', 'acme', '--limit', '1001'], '--limit: must be at most 1000'],
    [['orgs', 'create', '--slug', 'A B'], '--slug: must have at most 63 lower-case letters'],
    [['orgs', 'create', '--slug', 'a', '--name', ''], '--name: must not be empty'],
    [['orgs', 'create', '--slug', 'a', '--time-zone', 'Mars'], '--time-zone: must be the name of a time zone'],
    [['orgs', 'set', '--org', 'acme', '--time-zone', 'Mars'], '--time-zone: must be the name of a time zone'],
    [['projects', 'create', '--org', 'acme', '--name', ''], '--name: must not be empty'],
    [['grants', 'issue', '--org', 'acme', '--amount', '1,000'], '--amount: '],
    [['grants', 'issue', '--org', 'acme', '--amount', '1', '--source', 'gift'], '--source: must be one of package, prepaid, '],
    [['grants', 'issue', '--org', 'acme', '--amount', '1', '--unit', '?'], '--unit: '],
    [['grants', 'issue', '--org', 'acme', '--amount', '1', '--priority', '99999'], '--priority: must be at most 32767'],
    [['grants', 'issue', '--org', 'acme', '--amount', '1', '--effective', '2d', '--expires', '1d'], '--expires: '],
    [['grants', 'issue', '--org', 'acme', '--amount', '1', '--models', '!'], '--models: '],
    [['grants', 'refund', '--org', 'acme', '--grant', 'x', '--reference', 'r', '--reason', 's'], '--grant: must be an id'],
    [['grants', 'adjust', '--org', 'acme', '--grant', '01890000-0000-7000-8000-000000000000', '--reference', 'r', '--reason', 's', '--amount', 'x'], '--amount: '],
    [[...limit, '--amount', 'x'], '--amount: '],
    [[...limit, '--amount', '1.5'], '--amount: must be a whole number'],
    [['limits', 'set', '--org', 'acme', '--measure', 'words', '--per', '1m', '--amount', '1'], '--measure: '],
    [['limits', 'set', '--org', 'acme', '--measure', 'requests', '--amount', '1'], '--per: '],
    [['limits', 'set', '--org', 'acme', '--measure', 'requests', '--per', '99d', '--amount', '1'], '--per: must be at most 31 days'],
    [['limits', 'remove', 'x', '--org', 'acme'], '<id>: must be an id'],
    [['budgets', 'set', '--org', 'acme', '--amount', 'x'], '--amount: '],
    [['budgets', 'set', '--org', 'acme', '--tokens', '1.5'], '--tokens: must be a whole number'],
    [['budgets', 'set', '--org', 'acme', '--amount', '1', '--currency', 'usd'], '--currency: '],
    [['notices', 'set', '--org', 'acme', '--email', 'nobody'], '--email: '],
    [['notices', 'set', '--org', 'acme', '--balance-low', 'x'], '--balance-low: '],
    [['webhooks', 'add', '--org', 'acme', '--url', 'https://example.com', '--kinds', 'no.such'], '--kinds: '],
    [['webhooks', 'enable', 'x', '--org', 'acme'], '<id>: must be an id'],
    [['rollups', 'show', '--org', 'acme', '--from', 'x', '--to', '2027-01-01'], '--from: must be a day such as'],
    [['rollups', 'show', '--org', 'acme', '--from', '2027-01-01', '--to', '2027-01-02', '--by', 'year'], '--by: must be one of minute, hour, day'],
    [['rollups', 'show', '--org', 'acme', '--from', '2027-01-01', '--to', '2027-01-02', '--group', 'colour'], '--group: must be names among '],
    [['rollups', 'show', '--org', 'acme', '--from', '2027-01-01', '--to', '2027-01-02', '--zone', 'Mars'], '--zone: '],
  ])('%j', async (words, right) => {
    const { exitCode, out, error } = await run(words);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(error).toContain(right);
    // No name of a field, and no word of the validator's own.
    expect(error).not.toMatch(/\b(expiresAt|allowedModels|scopeModels|organizationId|overlapMs|groupBy|granularity|Invalid|expected)\b/);
  });
});

describe('names', () => {
  test('of an organization do where only one has it, and name those that are meant where several have', async () => {
    expect(await runJson('orgs', 'show', '--org', 'Acme Inc.')).toMatchObject({ slug: 'acme' });
    const twins = [await runJson('orgs', 'create', '--slug', 'twin-1', '--name', 'Twin'), await runJson('orgs', 'create', '--slug', 'twin-2', '--name', 'Twin')];
    const { exitCode, error } = await run(['projects', 'list', '--org', 'Twin']);
    expect(exitCode).toBe(1);
    for (const { slug, id } of twins as { slug: string; id: string }[]) expect(error).toContain(`${slug} (${id})`);
    // A slug is meant before a name.
    await runJson('orgs', 'create', '--slug', 'other', '--name', 'acme');
    expect(await runJson('orgs', 'show', '--org', 'acme')).toMatchObject({ name: 'Acme Inc.' });
  });

  test('of keys do for rolling, revoking, settings and limits', async () => {
    const { id } = await runJson('keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'laptop');
    expect(await runJson('keys', 'set', 'laptop', '--org', 'acme', '--max-tokens-above', 'clamp')).toMatchObject({ id });
    expect(await runJson('limits', 'set', '--org', 'acme', '--key', 'laptop', '--measure', 'requests', '--per', '1m', '--amount', '5')).toMatchObject({ subjectId: id });
    const rolled = await runJson('keys', 'roll', 'laptop', '--org', 'Acme Inc.', '--overlap', '1h');
    const ambiguous = await run(['keys', 'revoke', 'laptop', '--org', 'acme']);
    expect(ambiguous.exitCode).toBe(1);
    expect(ambiguous.error).toContain(id);
    expect(ambiguous.error).toContain(rolled.id);
    await runJson('keys', 'revoke', id, '--org', 'acme');
    expect(await runJson('keys', 'revoke', 'laptop', '--org', 'acme')).toMatchObject({ id: rolled.id, status: 'revoked' });
  });
});

const lane = (cost: string) => `{ kind: openai, baseUrl: "http://127.0.0.1:9101/v1", upstreamModel: m, cost: { currency: USD, per: 1000000, input: "${cost}", output: "0.40" } }`;
const lanesFile = (models: readonly { model: string; input: string; window?: number; cost?: string }[]): string =>
  `models:\n${models
    .map(({ model, input, window = 1000, cost = '0.10' }) => `  - { model: ${model}, contextWindow: ${window}, maxOutputTokens: 100, sale: { currency: USD, per: 1000000, input: "${input}", output: "0.60" }, lanes: [${lane(cost)}] }\n`)
    .join('')}`;

describe('lanes apply --dry-run', () => {
  const apply = (...more: string[]) => runJson('lanes', 'apply', 'lanes.yaml', ...more);

  test('shows every change with what was and from when, and changes nothing; applied, the same changes are made', async () => {
    writeFileSync(join(folder, 'lanes.yaml'), lanesFile([{ model: 'one', input: '0.15' }, { model: 'two', input: '1' }]));
    const first = await apply('--dry-run');
    expect(first.map(({ change, model }: { change: string; model: string }) => `${model} ${change}`)).toEqual([
      'one model_added', 'one lane_added', 'one price_published', 'two model_added', 'two lane_added', 'two price_published',
    ]);
    expect(await runJson('models', 'list')).toEqual([]);
    const withoutTimes = (rows: Record<string, unknown>[]) => rows.map(({ effectiveAt: _at, ...row }) => row);
    expect(withoutTimes(await apply())).toEqual(withoutTimes(first));
    expect(await apply('--dry-run')).toEqual([]);

    writeFileSync(join(folder, 'lanes.yaml'), lanesFile([{ model: 'one', input: '0.2', window: 2000, cost: '0.11' }]));
    const rows = (await apply('--dry-run')) as { change: string; model: string; effectiveAt: string; changes: { name: string; before: string | null; after: string | null }[] }[];
    expect(rows.map(({ change, model }) => `${model} ${change}`)).toEqual([
      'one model_updated', 'one lane_added', 'one lane_retired', 'one price_published', 'two model_retired', 'two lane_retired',
    ]);
    expect(rows[0]!.changes).toEqual([{ name: 'contextWindow', before: '1000', after: '2000' }]);
    expect(rows[3]!.changes).toEqual([{ name: 'input', before: '0.15 USD per 1000000', after: '0.2 USD per 1000000' }]);
    // A price that replaces another one waits until every gateway knows it.
    expect(Date.parse(rows[3]!.effectiveAt)).toBeGreaterThan(Date.parse(rows[0]!.effectiveAt));
    expect((await runJson('models', 'list')).map(({ id }: { id: string }) => id)).toEqual(['one', 'two']);

    const { out, error } = await run(['lanes', 'apply', 'lanes.yaml', '--dry-run']);
    expect(out).toMatch(/^price_published +one +– +\d{4}-.* +input 0\.15 USD per 1000000 → 0\.2 USD per 1000000$/m);
    expect(error).toContain('Nothing was changed');
    await apply();
    expect(await apply('--dry-run')).toEqual([]);
  });

  test('refuses what would be refused', async () => {
    writeFileSync(join(folder, 'lanes.yaml'), 'models: 1\n');
    expect(await run(['lanes', 'apply', 'lanes.yaml', '--dry-run'])).toMatchObject({ exitCode: 1, out: '' });
  });
});

describe('a model that does not exist', () => {
  test('is named when a key or a grant is made for it, and nothing else is', async () => {
    writeFileSync(join(folder, 'lanes.yaml'), lanesFile([{ model: 'known', input: '0.15' }]));
    await runJson('lanes', 'apply', 'lanes.yaml');
    const key = await run(['keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'typo', '--models', 'known,knwon,one']);
    expect(key.exitCode).toBe(0);
    // `one` was retired with its file.
    expect(key.error).toContain('Warning: no models for sale are called knwon, one.');
    const grant = await run(['grants', 'issue', '--org', 'acme', '--amount', '1', '--models', 'knwon']);
    expect(grant.error).toContain('Warning: no model for sale is called knwon.');
    expect(await runJson('keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'right', '--models', 'known')).not.toHaveProperty('warnings');
  });
});
