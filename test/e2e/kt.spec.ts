import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Ran } from '../support/command-run.js';
import { createTestDatabase, testRunFolder, type TestDatabase } from '../support/postgres.js';

/** The command line as a person runs it: the real script in a process of its own. Every command's cases are in kt.db.spec.ts. */

const SCRIPT = fileURLToPath(new URL('../../tools/kt.mjs', import.meta.url));
const COMMAND_MS_MAX = 120_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const run = (words: string[], settings: Record<string, string> = {}): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { ...process.env, DATABASE_URL: database.ownerUrl, ...settings };
    execFile(process.execPath, [SCRIPT, ...words], { env, timeout: COMMAND_MS_MAX }, (failure, out, error) => {
      resolve({ exitCode: failure ? Number(failure.code ?? -1) : 0, out, error });
    });
  });

const runJson = async (...words: string[]) => {
  const ran = await run([...words, '--json']);
  expect(ran).toMatchObject({ exitCode: 0, error: '' });
  return JSON.parse(ran.out);
};

describe('npm run kt', () => {
  test('makes a customer who can pay, and prints JSON and nothing else on standard output', async () => {
    const { id } = await runJson('orgs', 'create', '--slug', 'acme');
    await runJson('projects', 'create', '--org', id, '--name', 'chat');
    const { key } = await runJson('keys', 'create', '--org', 'acme', '--project', 'chat', '--name', 'server');
    expect(key).toMatch(/^kt_live_[0-9A-Za-z]{38}$/);
    await runJson('grants', 'issue', '--org', 'acme', '--amount', '12.50', '--reference', 'order-1');
    expect(await runJson('grants', 'list', '--org', 'acme')).toEqual([expect.objectContaining({ granted: '12.5', available: '12.5' })]);
  }, COMMAND_MS_MAX);

  test('loads neither Prisma nor Nest to show something or to refuse, and no library of another subject', async () => {
    const hook = new URL('../support/loaded-modules.mjs', import.meta.url).href;
    const modulesOf = async (...words: string[]): Promise<string> => {
      const loadedFile = join(mkdtempSync(join(testRunFolder(), 'kt-')), 'loaded');
      const register = `data:text/javascript,import { register } from 'node:module'; register(${JSON.stringify(hook)});`;
      await run(words, { NODE_OPTIONS: `--import=${encodeURI(register)}`, LOADED_FILE: loadedFile });
      return readFileSync(loadedFile, 'utf8');
    };
    await runJson('orgs', 'create', '--slug', 'quick');
    const shown = [['orgs', 'list'], ['projects', 'list', '--org', 'quick'], ['keys', 'list', '--org', 'quick'], ['grants', 'list', '--org', 'quick'], ['ledger', 'balances'], ['models', 'list'], ['lanes', 'list']];
    for (const words of [...shown, ['--help'], ['keys', '--help'], ['keys', 'roll']]) {
      const loaded = await modulesOf(...words);
      expect(loaded).toContain('/tools/dist/kt/main.js');
      expect([words, /node_modules\/(@nestjs|@prisma|fastify|bullmq)\/[^\n]*/.exec(loaded)?.[0]]).toEqual([words, undefined]);
      if (words[0] !== 'grants') expect(loaded).not.toContain('/kt/grants.js');
    }
    // The same look does see them where they are needed.
    expect(await modulesOf('projects', 'create', '--org', 'quick', '--name', 'p')).toContain('node_modules/@prisma/');
  }, COMMAND_MS_MAX);

  test('ends with 1 for what it refuses and with 2 where there is no database', async () => {
    expect(await run(['grants', 'issue', '--org', 'nobody', '--amount', '1'])).toMatchObject({ exitCode: 1, out: '', error: expect.stringContaining('nobody') });
    const nowhere = { DATABASE_URL: 'postgresql://x:y@127.0.0.1:1/z' };
    expect(await run(['orgs', 'list'], nowhere)).toMatchObject({ exitCode: 2, out: '', error: expect.stringContaining('cannot be reached') });
    expect(await run(['--help'])).toMatchObject({ exitCode: 0, error: '', out: expect.stringContaining('Examples:') });
  }, COMMAND_MS_MAX);
});
