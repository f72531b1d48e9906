import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../../test/support/command-run.js';
import { RollupDatabase } from '../../../test/support/rollup-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

/** `kt rollups` and `kt partitions`, on usage that settled in an old month. Partitions alone know the owner's login. */
const noon = new Date('2024-03-31T12:00:00Z');
let rollups: RollupDatabase;
let folder: string;
let org: string;

beforeAll(async () => {
  rollups = await RollupDatabase.create();
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-kt-'));
});
afterAll(async () => {
  await rollups.money.drop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await rollups.clear();
  org = (await rollups.money.newTenant()).organizationId;
  await rollups.put([
    { settledAt: noon, id: '018e9450-0000-7000-8000-000000000001', charge: '0.000000000001', counts: { input: 3 }, tags: { team: 'red' }, admittedAt: noon, firstTokenAt: new Date(noon.getTime() + 120) },
    { settledAt: new Date('2024-03-30T23:30:00Z'), id: '018e9450-0000-7000-8000-000000000002', charge: '2' },
  ]);
  await rollups.rate();
  await rollups.rollUp();
});

const run = (...words: string[]) => runWith({}, ...words);
const runWith = async (settings: Record<string, string>, ...words: string[]) => {
  const owner = words[0] === 'partitions' ? { DATABASE_URL: rollups.money.database.ownerUrl } : {};
  const environment = { ...owner, CONTROL_DATABASE_URL: serviceUrl(rollups.money.database.appUrl, 'control'), ...settings };
  const { exitCode, out, error } = await runCommand((output) => runKt([...words, '--json'], { environment, workingFolder: folder, callersFolder: folder, output }));
  return { exitCode, out: out && JSON.parse(out), error: error && (JSON.parse(error) as { error: { code: string } }).error.code };
};

describe('kt rollups', () => {
  test('shows the days of a zone, exactly', async () => {
    const { exitCode, out } = await run('rollups', 'show', '--org', org, '--from', '2024-03-31', '--to', '2024-04-01', '--zone', 'Europe/Berlin', '--group', 'model');
    expect(exitCode).toBe(0);
    expect(out).toMatchObject([
      { from: '2024-03-30T23:00:00.000Z', to: '2024-03-31T22:00:00.000Z', model: 'mock', requests: '2', tokens: { input: '4' }, charge: { USD: '2.000000000001' }, timeToFirstToken: { count: '1', p50MsMax: '200' } },
    ]);
    const byTag = await run('rollups', 'show', '--org', org, '--from', '2024-03-31', '--to', '2024-04-01', '--by', 'hour', '--group', 'tag:team');
    expect(byTag.out).toMatchObject([{ from: '2024-03-31T12:00:00.000Z', 'tag:team': 'red', requests: '1' }]);
    expect(await run('rollups', 'show', '--org', org, '--from', '2024-03-31', '--to', '2024-04-01', '--by', 'week')).toMatchObject({ exitCode: 1, error: 'rollup_query_invalid' });
  });

  test('proves rollups, names what differs, and makes them anew', async () => {
    expect(await run('rollups', 'verify')).toMatchObject({ exitCode: 0, out: { agree: true, usageRows: 2, differences: [] } });
    await rollups.money.sql("UPDATE usage_rollup SET charge = 3 WHERE grain_minutes = 1440 AND tag_key = '' AND charge = 2");
    const damaged = await run('rollups', 'verify', '--from', '2024-03-30', '--to', '2024-03-30');
    expect(damaged).toMatchObject({ exitCode: 1, error: 'rollups_differ', out: { agree: false, usageRows: 1 } });
    expect(damaged.out.differences).toMatchObject([{ organizationId: org, grainMinutes: 1440, expected: { charge: 2 }, stored: { charge: 3 } }]);
    expect((await run('rollups', 'rebuild', '--to', '2024-03-30')).out).toEqual([{ day: '2024-03-30', usageRows: 1 }]);
    expect(await run('rollups', 'verify')).toMatchObject({ exitCode: 0, out: { agree: true } });
    expect(await run('rollups', 'verify', '--from', '2024-02-30')).toMatchObject({ exitCode: 1, error: 'argument_invalid' });
  });
});

describe('kt partitions', () => {
  test('makes a month, moves what the default one caught, exports, detaches and drops it', async () => {
    expect((await run('partitions', 'make', '--from', '2024-03-01', '--until', '2024-04-01')).out).toEqual([{ name: 'usage_2024_03', moved: 2 }]);
    expect((await run('partitions', 'make', '--from', '2024-03-01', '--until', '2024-04-01')).out).toEqual([]);
    expect((await run('partitions', 'export', 'usage_2024_03', '--to', 'files')).out).toMatchObject([{ name: 'usage_2024_03', state: 'exported', rows: '2' }]);
    expect(existsSync(join(folder, 'files', 'usage_2024_03.parquet'))).toBe(true);
    expect((await run('partitions', 'detach', '--older-than', '5000d', '--to', 'files')).out).toEqual([]);
    expect((await runWith({ USAGE_RETENTION_DAYS: '400' }, 'partitions', 'detach', '--to', 'files')).out).toMatchObject([{ name: 'usage_2024_03', state: 'detached' }]);
    // Seals of other rows: nothing proves those of the partition.
    await rollups.money.sql('UPDATE usage_seal SET attempts = ARRAY(SELECT (attempt + 1)::smallint FROM unnest(attempts) attempt)');
    expect(await run('partitions', 'detach', 'usage_2024_03', '--to', 'files', '--drop')).toMatchObject({ exitCode: 1, error: 'partition_changed' });
    await rollups.money.sql('UPDATE usage_seal SET attempts = ARRAY(SELECT (attempt - 1)::smallint FROM unnest(attempts) attempt)');
    expect((await run('partitions', 'detach', 'usage_2024_03', '--to', 'files', '--drop')).out).toMatchObject([{ name: 'usage_2024_03', state: 'dropped' }]);
    const { out } = await run('partitions', 'list');
    expect(out[0]).toMatchObject({ name: 'usage_2024_03', state: 'dropped', from: '2024-03-01T00:00:00.000Z', until: '2024-04-01T00:00:00.000Z', rows: '2', file: join(folder, 'files', 'usage_2024_03.parquet') });
    expect(await run('rollups', 'verify')).toMatchObject({ exitCode: 0, out: { agree: true, daysArchived: 2, usageRows: 0 } });
    expect(await run('rollups', 'rebuild')).toMatchObject({ exitCode: 1, error: 'rollup_usage_archived' });
  });

  test.each([
    ['no partition, where usage stays for ever', ['detach']],
    ['a partition and an age', ['detach', 'usage_2024_03', '--older-than', '400d']],
    ['an age below what may still be written', ['detach', '--older-than', '30d']],
    ['a period of weeks', ['make', '--period', 'week']],
  ])('refuse %s', async (_name, words) => {
    expect(await run('partitions', ...words)).toMatchObject({ exitCode: 1, error: 'argument_invalid' });
  });

  test('make days of a month that is still to come', async () => {
    const { out } = await run('partitions', 'list');
    const last = (out as { name: string; from: string; until: string }[]).at(-1)!;
    expect((await run('partitions', 'remove', last.name)).out).toEqual({ name: last.name, removed: true });
    const days = (await run('partitions', 'make', '--period', 'day', '--until', last.until)).out as { name: string }[];
    expect(days[0]!.name).toBe(`${last.name}_01`);
    expect(days.length).toBe((Date.parse(last.until) - Date.parse(last.from)) / 86_400_000);
  });

  test('refuse a partition that is not there', async () => {
    expect(await run('partitions', 'export', 'usage_1999_01')).toMatchObject({ exitCode: 1, error: 'partition_not_found' });
  });
});
