import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { ReconcileFixture } from '../../../test/support/reconcile-fixture.js';
import { runReconcileTool } from './main.js';

/** The command: what it prints and how it ends. What it finds is proven beside the checks. */
let books: ReconcileFixture;
let damaged: ReconcileFixture;
let folder: string;

beforeAll(async () => {
  books = await ReconcileFixture.create();
  damaged = await ReconcileFixture.create();
  await damaged.plant('DELETE FROM rate');
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-reconcile-'));
});
afterAll(async () => {
  await books.drop();
  await damaged.drop();
  rmSync(folder, { recursive: true });
});

const run = (words: string[], databaseUrl: string | undefined = books.money.database.ownerUrl): Promise<Ran> => {
  const environment = databaseUrl === '' ? {} : { DATABASE_URL: databaseUrl };
  return runCommand((output) => runReconcileTool(words, { environment, workingFolder: folder, callersFolder: folder, output }));
};

describe('npm run reconcile', () => {
  it('says of each check how much it looked at, what is under way, and that the books hold: 0', async () => {
    const { exitCode, out, error } = await run([]);
    expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
    expect(out).toMatch(/^Reconciling all organizations\n/);
    expect(out).toMatch(/ok {5}I7 {3}usage-rerated {6}7 usage rows .* rating again from counts/);
    expect(out).toMatch(/1 session, 2 open leases of 20 USD, 1 open request\n {2}2 unrated flushes with 2 rows, the oldest/);
    expect(out).toMatch(/The books hold: \d+ checks in/);
  });

  it('names each finding and what to do, and counts the rest: 1', async () => {
    const { exitCode, out } = await run(['--findings', '1'], damaged.money.database.ownerUrl);
    expect(exitCode).toBe(1);
    expect(out).toMatch(/FOUND {2}I7 {3}usage-rerated/);
    expect(out).toMatch(/I7 usage-rerated: organization \S+, usage \S+, attempt 0, price_version \S+: expected prices and counts for input \(counts at the pinned prices\), found 1 /);
    expect(out).toMatch(/\.\.\. and 4 more of usage-rerated/);
    expect(out).toMatch(/What to do: The row or a published price was changed/);
    expect(out).toMatch(/5 findings of 1 check:/);
  });

  it('prints one JSON document with --json, in which nothing is rounded', async () => {
    const { exitCode, out } = await run(['--json', '--org', damaged.slugs[1], '--from', '2020-01-01', '--to', '2120-01-01T00:00:00+02:00'], damaged.money.database.ownerUrl);
    expect(exitCode).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      holds: false, organization: damaged.slugs[1], from: '2020-01-01T00:00:00.000Z', to: '2119-12-31T22:00:00.000Z', logs: null, inFlight: { leased: { USD: '10' } },
      checks: expect.arrayContaining([expect.objectContaining({ name: 'usage-rerated', invariant: 'I7', checked: 1, found: 1, findings: [expect.objectContaining({ organizationId: damaged.ids['otherOrganization'], found: '4' })] })]),
    });
  });

  it('compares logs by paths of the caller, several of each', async () => {
    const line = { requestId: books.ids['rated'], status: 200, completed: true, usage: { prompt_tokens: 1, completion_tokens: 0 }, cost: '1' };
    writeFileSync(join(folder, 'one.jsonl'), `${JSON.stringify(line)}\n`);
    writeFileSync(join(folder, 'two.jsonl'), `${JSON.stringify({ ...line, cost: '2' })}\n`);
    const { exitCode, out } = await run(['--client-log', 'one.jsonl', '--client-log', 'two.jsonl']);
    expect(exitCode).toBe(1);
    expect(out).toMatch(/client-completed: organization \S+, file \S+two\.jsonl, line 1, request \S+: expected 1 \+ 0 tokens, 2/);
    expect(out).toMatch(/Logs: 2 lines of clients/);
  });

  it.each<[string, string[], string, string]>([
    ['a database that is away', [], 'postgres://u:p@127.0.0.1:1/x', 'database_unreachable'],
    ['no database at all', [], '', 'database_unknown'],
    ['an unknown option', ['--everything'], '', 'arguments_invalid'],
    ['a day that is none', ['--from', '2027-02-30'], '', 'arguments_invalid'],
    ['a period that is empty', ['--from', '2027-02-02', '--to', '2027-02-01'], 'books', 'reconcile_period'],
    ['an organization that is none', ['--org', 'nobody'], 'books', 'organization_not_found'],
    ['a log that is not there', ['--client-log', 'nothing.jsonl'], 'books', 'reconcile_log'],
    ['a folder of exported files that is not there', ['--archive', 'nothing'], 'books', 'reconcile_archive'],
    ['a login that does not see all', [], 'app', 'reconcile_role'],
  ])('could not check: %s: 2', async (_, words, database, code) => {
    const urls: Record<string, string> = { books: books.money.database.ownerUrl, app: books.money.database.appUrl };
    const asJson = await run([...words, '--json'], urls[database] ?? database);
    expect({ ...asJson, error: JSON.parse(asJson.error) }).toEqual({ exitCode: 2, out: '', error: { error: { code, message: expect.any(String) } } });
    const asText = await run(words, urls[database] ?? database);
    expect(asText.exitCode).toBe(2);
    expect(asText.error).toMatch(/\S/);
  });

  it('explains itself without a database: 0', async () => {
    const { exitCode, out } = await run(['--help'], '');
    expect(exitCode).toBe(0);
    expect(out).toMatch(/Exit codes: 0 the books hold, 1 findings, 2 it could not check/);
  });
});
