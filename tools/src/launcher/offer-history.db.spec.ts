import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createPool } from '@kilotoken/platform';
import type pg from 'pg';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import type { Database } from './database.js';
import { isWanted, offerHistory, type HistoryOffer, type Keyboard } from './offer-history.js';
import { readLauncherSettings } from './settings.js';

const question = 'Fill the console with 90 days of demo history first?';
const secrets = { internalToken: 'i'.repeat(32), databaseOwnerPassword: 'o'.repeat(32), databaseAppPassword: 'a'.repeat(32), secretKey: 's'.repeat(32) };
const silent = (): void => undefined;
const terminal = { step: () => ({ update: silent, done: silent, fail: silent }), line: silent, notice: silent, problem: silent, bold: (text: string) => text, dim: (text: string) => text };
const never = new AbortController().signal;

let database: TestDatabase;
let owner: pg.Pool;
let filled: unknown[];

beforeEach(async () => {
  database = await createTestDatabase();
  owner = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
  await owner.query("UPDATE database_mark SET kind = 'production'");
  filled = [];
});

afterEach(async () => {
  await owner.end();
  await database.drop();
});

/** A terminal at which a person has typed `line` already. */
const keyboard = (line: string, isTTY = true): Keyboard & { printed(): string } => {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  input.write(line);
  return { input, output, printed: () => String(output.read() ?? '') };
};

const offer = async (line: string, { isTTY = true, environment = {} }: { isTTY?: boolean; environment?: Record<string, string> } = {}): Promise<string> => {
  const person = keyboard(line, isTTY);
  const login = (service: Parameters<typeof serviceUrl>[1]): string => serviceUrl(database.appUrl, service);
  const opened: Database = {
    ownerUrl: database.ownerUrl, controlUrl: login('control'), auditUrl: null,
    serviceUrls: { gateway: login('gateway'), metering: login('metering'), backoffice: login('backoffice') } as Database['serviceUrls'],
  };
  const fill: HistoryOffer['fill'] = (_terminal, filling) => Promise.resolve(void filled.push(filling));
  await offerHistory({ terminal, settings: readLauncherSettings(environment, '/tmp'), secrets, database: opened, signal: never, keyboard: person, fill });
  return person.printed();
};

const markOf = async (): Promise<string> => (await owner.query<{ kind: string }>('SELECT kind FROM database_mark')).rows[0]!.kind;

describe('npm start on an empty database', () => {
  test('at a terminal offers the history, and a yes loads it under the installation’s keys into a demo', async () => {
    expect(await offer('y\n')).toContain(question);
    expect(filled).toMatchObject([{ logins: { ownerUrl: database.ownerUrl }, secretKeys: [secrets.secretKey] }]);
    expect(await markOf()).toBe('demo');
  });

  test.each(['n\n', '\n', 'yess\n'])('at a terminal takes %j for a no, and changes nothing', async (line) => {
    expect(await offer(line)).toContain(question);
    expect(filled).toEqual([]);
    expect(await markOf()).toBe('production');
  });

  test.each([
    ['without a terminal', { isTTY: false }],
    ['with KILOTOKEN_DEMO=0', { environment: { KILOTOKEN_DEMO: '0' } }],
    ['with a DATABASE_URL', { environment: { DATABASE_URL: 'postgresql://owner@127.0.0.1:5432/kilotoken' } }],
  ])('%s never asks', async (_condition, options) => {
    expect(await offer('y\n', options)).toBe('');
    expect(filled).toEqual([]);
    expect(await markOf()).toBe('production');
  });

  test('that is not empty any more does not ask', async () => {
    await owner.query("INSERT INTO model (id, context_window, max_output_tokens, origin) VALUES ('mine', 1000, 1000, 'console')");
    expect(await offer('y\n')).toBe('');
    expect(filled).toEqual([]);
  });
});

test('the question takes silence and a stopped start for a no', async () => {
  const stop = new AbortController();
  const answer = isWanted(keyboard(''), stop.signal);
  stop.abort();
  expect(await answer).toBe(false);
});
