import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createPool } from '@kilotoken/platform';
import type pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.js';
import { isEmptyDatabase, takePlace } from './place.js';

let database: TestDatabase;
let owner: pg.Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  owner = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
  await owner.query("UPDATE database_mark SET kind = 'production'");
});

afterEach(async () => {
  await owner.end();
  await database.drop();
});

const markOf = async (): Promise<string> => (await owner.query<{ kind: string }>('SELECT kind FROM database_mark')).rows[0]!.kind;

describe('a history of the demo', () => {
  test('takes an empty embedded database, which is a demo from then on', async () => {
    expect(await isEmptyDatabase(database.ownerUrl)).toBe(true);
    await takePlace(database.ownerUrl, true);
    expect(await markOf()).toBe('demo');
  });

  test("takes somebody else's empty database only where its owner marked it as a demo, and says how", async () => {
    await expect(takePlace(database.ownerUrl, false)).rejects.toThrow("UPDATE database_mark SET kind = 'demo'");
    expect(await markOf()).toBe('production');
    await owner.query("UPDATE database_mark SET kind = 'demo'");
    await takePlace(database.ownerUrl, false);
    expect(await markOf()).toBe('demo');
  });

  test('is refused where anything stands already, with a way to go on, and changes nothing', async () => {
    await owner.query("INSERT INTO model (id, context_window, max_output_tokens, origin) VALUES ('mine', 1000, 1000, 'console')");
    expect(await isEmptyDatabase(database.ownerUrl)).toBe(false);
    await expect(takePlace(database.ownerUrl, true)).rejects.toThrow(/not empty.*rows of model.*npm run demo -- --fresh.*KILOTOKEN_HOME=<folder> npm run demo/s);
    await expect(takePlace(database.ownerUrl, false)).rejects.toThrow('Name an empty database in DATABASE_URL');
    expect(await markOf()).toBe('production');
  });

  test('is refused where the clock is shifted', async () => {
    await owner.query("UPDATE database_mark SET kind = 'demo', clock_shift = '1 hour'");
    await expect(takePlace(database.ownerUrl, true)).rejects.toThrow("SET clock_shift = '0'");
  });
});
