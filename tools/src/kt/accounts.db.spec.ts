import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requestOrDo } from '@kilotoken/accounts';
import { changeThrough, createControlPool, throughPg } from '@kilotoken/platform';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

let database: TestDatabase;
let organizationId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  organizationId = (await kt('orgs', 'create', '--slug', 'acme')).id;
});
afterAll(() => database.drop());

const run = (...words: string[]): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment: { DATABASE_URL: database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control') }, workingFolder: '/', callersFolder: '/', output }));
const kt = async (...words: string[]) => {
  const ran = await run(...words, '--json');
  expect(ran).toMatchObject({ exitCode: 0, error: '' });
  return JSON.parse(ran.out);
};

/** A person asks for more than the threshold, as the api does. */
const ask = async (): Promise<void> => {
  const pool = createControlPool({ kind: 'person', id: 'ada', name: null }, { connectionString: serviceUrl(database.appUrl, 'control'), max: 1, applicationName: 'test' });
  try {
    const grant = { organizationId, unit: 'USD', amount: '5000', source: 'promotion' as const, reference: randomUUID() };
    expect(await changeThrough(pool, organizationId, (db) => requestOrDo(throughPg(db), 'grant.issue', grant))).toMatchObject({ state: 'awaits' });
  } finally {
    await pool.end();
  }
};

describe('kt audit list', () => {
  it('shows what kt did, by the name of the command, and finds it by action and time', async () => {
    await kt('projects', 'create', '--org', 'acme', '--name', 'chat');
    const [entry] = await kt('audit', 'list', '--org', 'acme');
    expect(entry).toMatchObject({ actor: expect.stringMatching(/^kt .+@.+/), action: 'kt.projects.create', objectType: 'project', organizationId });
    expect(await kt('audit', 'list', '--org', 'acme', '--action', 'kt.projects.*', '--from', '1h')).toEqual([entry]);
    expect(await kt('audit', 'list', '--org', 'acme', '--until', '1h')).toEqual([]);
    const all = await kt('audit', 'list');
    expect(await kt('audit', 'list', '--after', all[0].cursor)).toEqual(all.slice(1));
    expect((await run('audit', 'list', '--org', 'acme')).out).toContain('kt.projects.create');
    expect(await run('audit', 'list', '--after', 'x')).toMatchObject({ exitCode: 1 });
  });
});

describe('kt approvals', () => {
  it('lists what waits, cancels it, and needs none for its own grants', async () => {
    await ask();
    const [pending] = await kt('approvals', 'list', '--org', 'acme', '--status', 'pending');
    expect(pending).toMatchObject({ kind: 'grant.issue', amount: '5000', unit: 'USD', requestedBy: 'person ada', decidedBy: null });
    expect(await kt('approvals', 'cancel', '--org', 'acme', '--id', pending.id, '--reason', 'a mistake')).toMatchObject({ status: 'cancelled', reason: 'a mistake' });
    expect(await kt('approvals', 'list', '--status', 'pending')).toEqual([]);
    expect(await kt('grants', 'issue', '--org', 'acme', '--amount', '100000')).toMatchObject({ granted: '100000' });
    expect(await run('approvals', 'list', '--status', 'lost')).toMatchObject({ exitCode: 1 });
  });

  it('shows and sets thresholds', async () => {
    expect(await kt('approvals', 'thresholds')).toHaveLength(4);
    expect(await kt('approvals', 'threshold', '--kind', 'grant.refund', '--unit', 'EUR', '--amount', '250')).toContainEqual({ kind: 'grant.refund', unit: 'EUR', amount: '250' });
    expect(await kt('approvals', 'threshold', '--kind', 'grant.refund', '--unit', 'EUR', '--none')).toHaveLength(4);
    expect(await run('approvals', 'threshold', '--kind', 'grant.refund')).toMatchObject({ exitCode: 1, error: expect.stringContaining('amount') });
  });
});

describe('kt transfers', () => {
  it('sets, lists and removes rules between a parent and an organization below it', async () => {
    const child = await kt('orgs', 'create', '--slug', 'acme-labs', '--parent', 'acme');
    expect(child).toMatchObject({ parentId: organizationId, priceBook: 'list' });
    const rule = await kt('transfers', 'set', '--org', 'acme', '--to', 'acme-labs', '--below', '5', '--amount', '20', '--cap', '100');
    expect(rule).toMatchObject({ childId: child.id, unit: 'USD', threshold: '5', amount: '20', capPerMonth: '100', transferredThisMonth: '0' });
    expect(await kt('transfers', 'list', '--org', 'acme')).toEqual([rule]);
    expect(await run('transfers', 'set', '--org', 'acme-labs', '--to', 'acme', '--below', '5', '--amount', '20', '--cap', '100')).toMatchObject({ exitCode: 1, error: expect.stringContaining('below') });
    expect(await kt('transfers', 'remove', '--org', 'acme', '--to', 'acme-labs')).toMatchObject({ removed: true });
    expect(await kt('transfers', 'list', '--org', 'acme')).toEqual([]);
  });

  it('refuses trees of more than 8 levels', async () => {
    let parent = 'acme-labs';
    for (let level = 3; level <= 8; level += 1) {
      await kt('orgs', 'create', '--slug', `level-${level}`, '--parent', parent);
      parent = `level-${level}`;
    }
    expect(await run('orgs', 'create', '--slug', 'level-9', '--parent', parent)).toMatchObject({ exitCode: 1, error: expect.stringContaining('8 levels') });
  });
});

describe('kt budgets', () => {
  it('sets the percents at which a budget tells, and keeps them when its amount changes', async () => {
    const set = (...words: string[]) => kt('budgets', 'set', '--org', 'acme', '--amount', '10', ...words);
    expect(await set()).toMatchObject({ alertPercents: ['50', '80', '100'] });
    expect(await set('--alerts', '90,25')).toMatchObject({ alertPercents: ['25', '90'] });
    expect(await set('--amount', '20')).toMatchObject({ amount: '20', alertPercents: ['25', '90'] });
    expect(await set('--alerts', 'none')).toMatchObject({ alertPercents: [] });
    expect(await run('budgets', 'set', '--org', 'acme', '--amount', '10', '--alerts', 'half')).toMatchObject({ exitCode: 1, error: expect.stringContaining('--alerts') });
  });
});
