import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopOrphanedPostgres } from '@kilotoken/tools/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testRunFolder } from '../support/postgres.js';

/** `npm run demo` as a person runs it, on an embedded Postgres of its own. The tests run in order on one folder. */

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const home = (): string => join(testRunFolder(), `demo-${process.pid}`);
const databaseFolder = (): string => join(home(), 'postgres', 'data');

interface Run {
  readonly code: number | null;
  readonly output: string;
}

const demo = (...words: string[]): Promise<Run> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['tools/demo.mjs', '--days', '1', '--organizations', '2', '--requests', '20', ...words], {
      cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], HOME: process.env['HOME'], KILOTOKEN_HOME: home() },
    });
    let output = '';
    const collect = (chunk: Buffer): unknown => (output += chunk.toString());
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('close', (code) => resolve({ code, output }));
  });

/** Databases that were set aside. */
const aside = (): string[] => readdirSync(home()).filter((name) => name.startsWith('postgres-before-'));

describe('npm run demo', () => {
  beforeAll(() => mkdirSync(home()));
  afterAll(() => stopOrphanedPostgres(databaseFolder()));

  it('loads a history into an empty folder', async () => {
    expect(await demo()).toMatchObject({ code: 0, output: expect.stringMatching(/1 days, 2 organizations, \d+ requests/) });
  });

  it('refuses a database that is not empty, says how to go on, and changes nothing', async () => {
    const { code, output } = await demo();
    expect(output).toMatch(/The database is not empty.*npm run demo -- --fresh.*Nothing was changed\./s);
    expect(code).toBe(1);
    expect(aside()).toEqual([]);
  });

  it('--fresh sets that database aside, names where, and loads into a new one', async () => {
    const { code, output } = await demo('--fresh');
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(/1 days, 2 organizations, \d+ requests/) });
    expect(aside()).toHaveLength(1);
    expect(output).toContain(join(home(), aside()[0]!));
  });
});
