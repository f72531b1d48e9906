import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asOrganization, createIdMinter } from '@kilotoken/platform';
import { pino } from 'pino';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { until } from '../../../../test/support/until.js';
import { removeEmptyPartition } from './partition-archive.flow.js';
import { PartitionService } from './partition.service.js';
import { countDefaultRows, listPartitions, makePartition } from './partition.store.js';

/** A minter's ids ascend; these are of any order. */
let minted = 0;
const idAt = (moment: string): string => createIdMinter(() => (minted += 1))(Date.parse(moment));

let money: MoneyDatabase;
let session: string;
let flush = 0;
beforeAll(async () => {
  money = await MoneyDatabase.create();
  await money.newTenant('1000');
  session = await money.newSession();
});
afterAll(() => money.drop());

const make = (period: 'month' | 'day', from: string, end: string, moveMax = 100) => makePartition(money.app, period, { from: new Date(from), until: new Date(end) }, moveMax);
const settle = (...ids: string[]): Promise<number> => money.settle(session, (flush += 1), ...ids.map((id) => ({ id, charge: 0, counts: {} })));
const partitionOf = async (id: string): Promise<string[]> =>
  (await money.sql<{ name: string }>('SELECT tableoid::regclass::text AS name FROM usage WHERE id = $1', [id])).map(({ name }) => name);

describe('a partition', () => {
  it('is made of the first month that is missing, and once', async () => {
    expect(await make('month', '2025-01-15T00:00:00Z', '2025-03-01T00:00:00Z')).toEqual({ name: 'usage_2025_01', moved: 0 });
    expect(await make('month', '2025-01-15T00:00:00Z', '2025-03-01T00:00:00Z')).toEqual({ name: 'usage_2025_02', moved: 0 });
    expect(await make('month', '2025-01-15T00:00:00Z', '2025-03-01T00:00:00Z')).toBeNull();
    const made = (await listPartitions(money.owner)).filter(({ name }) => name.startsWith('usage_2025'));
    expect(made).toMatchObject([
      { name: 'usage_2025_01', from: new Date('2025-01-01T00:00:00Z'), until: new Date('2025-02-01T00:00:00Z'), state: 'attached' },
      { name: 'usage_2025_02', from: new Date('2025-02-01T00:00:00Z'), until: new Date('2025-03-01T00:00:00Z'), state: 'attached' },
    ]);
  });

  it('of days continues where months end, and a month takes what days have left of it', async () => {
    expect(await make('day', '2025-02-27T00:00:00Z', '2025-03-02T00:00:00Z')).toMatchObject({ name: 'usage_2025_03_01' });
    expect(await make('month', '2025-02-27T00:00:00Z', '2025-03-03T00:00:00Z')).toMatchObject({ name: 'usage_2025_03_02' });
    expect((await listPartitions(money.owner)).find(({ name }) => name === 'usage_2025_03_02')).toMatchObject({ until: new Date('2025-04-01T00:00:00Z') });
  });

  it('takes usage, refuses a second copy of it, and shows it to its organization alone', async () => {
    const id = idAt('2025-01-31T23:59:59.999Z');
    expect([await settle(id), await partitionOf(id)]).toEqual([1, ['usage_2025_01']]);
    const again = await money.app.query('SELECT settle($1, $2, $3) AS written', [session, flush, JSON.stringify([money.usageRow({ id, charge: 0, counts: {} })])]);
    expect(again.rows).toEqual([{ written: 0 }]);
    expect(await sqlStateFrom(asOrganization(money.app, money.tenant.organizationId, (db) => db.query('SELECT FROM usage_2025_01')))).toBe('42501');
    expect(await money.sql("SELECT relrowsecurity AS secured FROM pg_class WHERE relname IN ('usage_2025_01', 'usage_2025_03_01')")).toEqual([{ secured: true }, { secured: true }]);
    const seen = (of: string) => asOrganization(money.app, of, async (db) => (await db.query('SELECT FROM usage WHERE id = $1', [id])).rowCount);
    expect([await seen(money.tenant.organizationId), await seen(session)]).toEqual([1, 0]);
  });

  it('takes over what the default partition caught of its range, and nothing else of it', async () => {
    const [inside, outside] = [idAt('2024-05-31T23:59:59Z'), idAt('2024-06-01T00:00:00Z')];
    await settle(inside, outside);
    expect(await countDefaultRows(money.app, 100)).toBe(2);
    expect(await sqlStateFrom(make('month', '2024-05-01T00:00:00Z', '2024-05-02T00:00:00Z', 0))).toBe('KT032');
    expect(await partitionOf(inside)).toEqual(['usage_default']);
    expect(await make('month', '2024-05-01T00:00:00Z', '2024-05-02T00:00:00Z')).toEqual({ name: 'usage_2024_05', moved: 1 });
    expect([await partitionOf(inside), await partitionOf(outside)]).toEqual([['usage_2024_05'], ['usage_default']]);
    expect(await settle(inside).catch((error: { code: string }) => error.code)).toBe('KT002');
  });

  it('is made while usage settles in its neighbours, and waits for a reader no longer than it may', async () => {
    const reader = await money.owner.connect();
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM usage');
    try {
      const isWaiting = async (): Promise<boolean> => (await money.sql("SELECT FROM pg_locks WHERE NOT granted AND relation = 'usage_default'::regclass")).length === 1;
      let second = 0;
      // It waits for half a second; in that time a settlement has come and gone, unless the machine stood still.
      await until('usage settles while it waits for the reader', async () => {
        let isOver = false;
        const making = sqlStateFrom(make('month', '2023-01-01T00:00:00Z', '2023-01-02T00:00:00Z')).finally(() => (isOver = true));
        await until('it waits, or has waited', async () => isOver || (await isWaiting()));
        expect(await settle(idAt(new Date(Date.UTC(2025, 0, 2, 0, 0, (second += 1))).toISOString()))).toBe(1);
        const settledMeanwhile = await isWaiting();
        expect(await making).toBe('55P03');
        return settledMeanwhile;
      });
      expect((await listPartitions(money.owner)).map(({ name }) => name)).not.toContain('usage_2023_01');
    } finally {
      await reader.query('ROLLBACK');
      reader.release();
    }
    expect(await make('month', '2023-01-01T00:00:00Z', '2023-01-02T00:00:00Z')).toMatchObject({ name: 'usage_2023_01' });
  });

  it('that is made while a row is on its way to the default one takes it: the flush is written again', async () => {
    const id = idAt('2022-05-05T00:00:00Z');
    const maker = await money.app.connect();
    await maker.query('BEGIN');
    await makePartition(maker, 'month', { from: new Date('2022-05-01T00:00:00Z'), until: new Date('2022-05-02T00:00:00Z') }, 0);
    const settling = settle(id);
    await until('it waits', async () => (await money.sql("SELECT FROM pg_locks WHERE NOT granted AND relation = 'usage_default'::regclass")).length > 0);
    await maker.query('COMMIT');
    maker.release();
    expect([await settling, await partitionOf(id)]).toEqual([1, ['usage_2022_05']]);
  });

  it.each([
    ['of weeks', 'week', '2025-01-01T00:00:00Z'],
    ['for years ahead', 'month', '2099-01-01T00:00:00Z'],
  ])('is not made %s', async (_name, period, end) => {
    expect(await sqlStateFrom(make(period as 'month', '2025-01-01T00:00:00Z', end))).toBe('KT030');
  });
});

describe('a partition that is still to come', () => {
  const before = new Date('2024-12-01T00:00:00Z');

  it('is removed while it has no row, and its days are made in its place', async () => {
    expect(await make('month', '2025-06-01T00:00:00Z', '2025-06-02T00:00:00Z')).toMatchObject({ name: 'usage_2025_06' });
    await removeEmptyPartition(money.owner, 'usage_2025_06', before);
    expect(await make('day', '2025-06-01T00:00:00Z', '2025-06-02T00:00:00Z')).toMatchObject({ name: 'usage_2025_06_01' });
  });

  it('is not removed with a row, nor when its time has come', async () => {
    await settle(idAt('2025-02-01T00:00:00Z'));
    await expect(removeEmptyPartition(money.owner, 'usage_2025_02', before)).rejects.toMatchObject({ code: 'partition_in_use' });
    await expect(removeEmptyPartition(money.owner, 'usage_2025_06_01', new Date('2025-06-01T00:00:00Z'))).rejects.toMatchObject({ code: 'partition_in_use' });
  });
});

describe('the job', () => {
  const job = (period: 'month' | 'day', aheadDays: number) => new PartitionService({ period, aheadDays }, money.app, () => Date.now(), pino({ level: 'silent' }));
  const lastUntil = async (): Promise<number> => Math.max(...(await listPartitions(money.owner)).map(({ until: end }) => end.getTime()));

  it('makes what is missing ahead, and finds nothing more to do', async () => {
    const made = await job('month', 500).makeAhead();
    expect(made.length).toBeGreaterThan(0);
    expect(await lastUntil()).toBeGreaterThan(Date.now() + 500 * 86_400_000);
    expect(await job('month', 500).makeAhead()).toEqual([]);
  });

  it('makes each once, however many run at once', async () => {
    const before = (await listPartitions(money.owner)).length;
    const made = (await Promise.all([1, 2, 3, 4].map(() => job('day', 560).makeAhead()))).flat();
    for (let more = ['']; more.length > 0; ) made.push(...(more = await job('day', 560).makeAhead()));
    expect(new Set(made).size).toBe(made.length);
    expect((await listPartitions(money.owner)).length).toBe(before + made.length);
    expect(made.every((name) => /^usage_\d{4}_\d{2}_\d{2}$/.test(name))).toBe(true);
  });
});
