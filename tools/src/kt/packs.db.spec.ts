import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

let money: MoneyDatabase;
beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

const run = (...words: string[]): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment: { DATABASE_URL: money.database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(money.database.appUrl, 'control') }, workingFolder: '/', callersFolder: '/', output }));

const runJson = async (...words: string[]) => {
  const { exitCode, out, error } = await run(...words, '--json');
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
  return JSON.parse(out);
};

describe('kt packs', () => {
  test('declares a unit once, whose rounding is never changed', async () => {
    expect(await runJson('packs', 'declare', 'kt-pack', '--decimals', '0', '--rounding', 'up')).toEqual({ unit: 'kt-pack', decimals: 0, rounding: 'up' });
    expect(await runJson('packs', 'declare', 'kt-pack', '--decimals', '0', '--rounding', 'up')).toEqual({ unit: 'kt-pack', decimals: 0, rounding: 'up' });
    expect(await run('packs', 'declare', 'kt-pack', '--decimals', '2')).toMatchObject({ exitCode: 1, error: expect.stringContaining('can never change') });
    await expect(money.sql("UPDATE pack_unit SET decimals = 3 WHERE unit = 'kt-pack'")).rejects.toMatchObject({ code: 'KT025' });
  });

  test('publishes burn tables ahead of their beginning, in the name of an actor', async () => {
    const first = await runJson('packs', 'burn', 'kt-pack', '--weights', 'input=1,output=4,audio_in=none');
    const next = await runJson('packs', 'burn', 'kt-pack', '--weights', 'input=2,output=8');
    expect(first).toMatchObject({ unit: 'kt-pack', model: null, weights: 'input=1 output=4 audio_in=none', per: 1 });
    expect(Date.parse(next.effectiveAt)).toBeGreaterThanOrEqual(Date.parse(first.effectiveAt) + 1);
    expect((await runJson('packs', 'list')).map(({ id }: { id: string }) => id).sort()).toEqual([first.id, next.id].sort());
    expect(await money.sql("SELECT DISTINCT actor_kind AS kind FROM control_change WHERE table_name = 'burn_table'")).toEqual([{ kind: 'kt' }]);
  });

  test.each([
    [['packs', 'declare', 'USD'], 'lower-case'],
    [['packs', 'burn', 'nobodys-pack', '--weights', 'input=1'], 'Declare it first'],
    [['packs', 'burn', 'kt-pack', '--weights', 'input=-1'], 'exact decimal'],
    [['packs', 'burn', 'kt-pack', '--weights', 'input=0'], 'above zero'],
    [['packs', 'burn', 'kt-pack', '--weights', 'words=1'], 'is not a weight'],
    [['packs', 'burn', 'kt-pack', '--weights', 'input=1', '--model', 'nobodys'], 'no model'],
    [['packs', 'burn', 'kt-pack', '--weights', 'input=1', '--effective', '2020-01-01'], 'or later'],
  ])('refuses %j and says why', async (words, why) => {
    expect(await run(...words)).toMatchObject({ exitCode: 1, error: expect.stringContaining(why) });
  });

  test('grants and budgets take a declared unit, and no other', async () => {
    const { organizationId } = money.tenant;
    expect(await runJson('grants', 'issue', '--org', organizationId, '--unit', 'kt-pack', '--amount', '100')).toMatchObject({ unit: 'kt-pack', available: '100' });
    expect(await run('grants', 'issue', '--org', organizationId, '--unit', 'nobodys-pack', '--amount', '100')).toMatchObject({ exitCode: 1 });
    expect(await runJson('budgets', 'set', '--org', organizationId, '--amount', '5', '--currency', 'kt-pack', '--per', 'day')).toMatchObject({ currency: 'kt-pack', amount: '5' });
    expect(await run('budgets', 'set', '--org', organizationId, '--amount', '5', '--currency', 'nobodys-pack', '--per', 'day')).toMatchObject({ exitCode: 1, error: expect.stringContaining('declared') });
  });
});
