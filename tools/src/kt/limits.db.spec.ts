import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await kt('orgs', 'create', '--slug', 'acme');
  await kt('projects', 'create', '--org', 'acme', '--name', 'chat');
});
afterAll(() => database.drop());

const run = (...words: string[]): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment: { DATABASE_URL: database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control') }, workingFolder: '/', callersFolder: '/', output }));
const kt = async (...words: string[]) => {
  const ran = await run(...words, '--json');
  expect(ran).toMatchObject({ exitCode: 0, error: '' });
  return JSON.parse(ran.out);
};
const set = (subject: 'limits' | 'budgets', ...words: string[]) => kt(subject, 'set', '--org', 'acme', ...words);

describe('kt limits and budgets', () => {
  it('sets limits on each subject in each kind of window, lists and removes them', async () => {
    const { id: keyId } = await kt('keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'server');
    const made = [
      await set('limits', '--measure', 'requests', '--amount', '60', '--per', '1m'),
      await set('limits', '--measure', 'concurrency', '--amount', '5', '--project', 'chat'),
      await set('limits', '--measure', 'input_tokens', '--amount', '100000', '--per', 'day', '--key', keyId, '--soft'),
      await set('budgets', '--amount', '12.50', '--end-users'),
      await set('budgets', '--tokens', '1000000', '--per', 'day'),
    ];
    expect(made).toMatchObject([
      { on: 'organization', measure: 'requests', window: 'rolling', windowMs: 60_000, amount: '60', mode: 'hard', counted: '0', description: 'requests per minute of the organization' },
      { on: 'project', measure: 'concurrency', window: 'none', amount: '5' },
      { on: 'key', subjectId: keyId, measure: 'input_tokens', window: 'day', mode: 'soft' },
      { on: 'end_user', measure: 'money', currency: 'USD', window: 'month', amount: '12.5', counted: null },
      { on: 'organization', measure: 'tokens', window: 'day', amount: '1000000' },
    ]);
    expect(await kt('limits', 'list', '--org', 'acme')).toEqual(made);
    expect((await kt('budgets', 'list', '--org', 'acme')).map(({ id }: { id: string }) => id)).toEqual(made.slice(2).map(({ id }) => id));
    const again = await set('limits', '--measure', 'requests', '--amount', '90', '--per', '60s');
    expect([again.id, again.amount]).toEqual([made[0].id, '90']);
    for (const { id } of made) expect(await kt('limits', 'remove', '--org', 'acme', id)).toEqual({ id, removed: true });
    expect(await run('limits', 'list', '--org', 'acme')).toMatchObject({ exitCode: 0, error: expect.stringContaining('has no limits') });
  });

  it.each([
    [['limits', 'set', '--measure', 'tokens', '--amount', '5'], /--per: is required/],
    [['limits', 'set', '--measure', 'cats', '--amount', '5', '--per', '1m'], /measure/],
    [['limits', 'set', '--measure', 'tokens', '--amount', '-5', '--per', '1m'], /amount/],
    [['limits', 'set', '--measure', 'requests', '--amount', '10.5', '--per', '1m'], /amount/],
    [['limits', 'set', '--measure', 'tokens', '--amount', '5', '--per', 'fortnight'], /--per/],
    [['limits', 'set', '--measure', 'tokens', '--amount', '5', '--per', '1m', '--project', 'chat', '--end-users'], /at most one of --project, --key and --end-users/],
    [['budgets', 'set', '--per', 'day'], /either --amount or --tokens/],
    [['budgets', 'set', '--amount', '5', '--currency', 'dollars'], /currency/],
    [['limits', 'remove', '01890000-0000-7000-8000-000000000000'], /no such limit/],
  ])('refuses %j and says why', async (words, why) => {
    const { exitCode, error } = await run(...words, '--org', 'acme');
    expect([exitCode, error]).toEqual([1, expect.stringMatching(why)]);
  });
});
