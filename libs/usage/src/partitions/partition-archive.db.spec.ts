import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createIdMinter } from '@kilotoken/platform';
import { parquetMetadata } from 'hyparquet';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { until } from '../../../../test/support/until.js';
import { detachPartition, dropPartition, exportPartition, type ArchiveStep, type ProveSeals } from './partition-archive.flow.js';
import { digestFile, readFileColumns } from './partition-file.store.js';
import { listPartitions, makePartition, readColumns } from './partition.store.js';

const now = new Date('2026-09-01T00:00:00Z');
const mint = createIdMinter(() => 1);
const rowCount = 25;

let money: MoneyDatabase;
let folder: string;
let session: string;
let flush = 0;
/** Each test has a month of its own, as old as wanted. */
let month = 0;
let name: string;
let begins: Date;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  session = await money.newSession();
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-partitions-'));
});
afterAll(async () => {
  await money.drop();
  rmSync(folder, { recursive: true });
});

/** Rows that are hard to keep exactly: long decimals, quotes, line ends, emoji, nulls, large counts. */
const hardRow = (index: number): object => ({
  ...money.usageRow({ id: mint(begins.getTime() + index), charge: '12345678901234567890.000000000001', hold: '99999999999999999999999999.999999999999', rated: '12345678901234567890.123456789012', cost: '0.000000000001' }),
  tags: index % 3 === 0 ? null : { note: `"${'\n\t\\'}" ${'🦆'.repeat(index)} ,;'` }, user: index % 2 === 0 ? null : 'ü', counts: { input: 9007199254740991, output: index },
  context: 9007199254740991, offset_ms: -index, admitted: 1_767_225_600_123.456, first_token: index % 4 === 0 ? null : 1_767_225_601_000, finished: 32_503_680_000_000,
});
const settle = (rows: object[], number = (flush += 1)): Promise<number> =>
  money.app.query<{ written: number }>('SELECT settle($1, $2, $3) AS written', [session, number, JSON.stringify(rows)]).then(({ rows: [row] }) => row!.written);
const rateAll = async (): Promise<void> => {
  await money.sql('DELETE FROM unrated_batch');
  await money.app.query('SELECT rollup_add(1000)');
};

let rows: object[];
beforeEach(async () => {
  month += 1;
  begins = new Date(Date.UTC(2020, month - 1, 1));
  name = (await makePartition(money.app, 'month', { from: begins, until: new Date(begins.getTime() + 1) }, 0))!.name;
  rows = Array.from({ length: rowCount }, (_, index) => hardRow(index));
  await settle(rows);
  await rateAll();
});

/** The proof of seals is reconcile's. */
const nothingUnsealed: ProveSeals = () => Promise.resolve([]);
const stateOf = async () => (await listPartitions(money.owner)).find((one) => one.name === name)!;
const columnsOfUsage = () => readColumns(money.owner, 'usage');
const file = (): string => join(folder, `${name}.parquet`);
const stored = async (): Promise<number> => Number((await money.sql<{ count: bigint }>(`SELECT count(*) FROM usage WHERE id >= uuid_floor($1) AND id < uuid_floor($2)`, [begins, new Date(begins.getTime() + 86_400_000)]))[0]!.count);
const archive = async (): Promise<void> => {
  await exportPartition(money.owner, name, folder, now, { rowsPerGroup: 10 });
  await detachPartition(money.owner, name, now);
};

describe('an export', () => {
  it('holds every row to the last digit, in a file that other readers understand', async () => {
    const exported = await exportPartition(money.owner, name, folder, now, { rowsPerGroup: 10 });
    expect(exported).toMatchObject({ state: 'exported', rows: BigInt(rowCount), file: file() });
    expect((await digestFile(file(), await columnsOfUsage())).digest()).toBe(exported.digest);
    const bytes = readFileSync(file());
    const { schema, row_groups: groups } = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
    expect(groups.map(({ num_rows: count }) => Number(count))).toEqual([10, 10, 5]);
    expect(schema.find((column) => column.name === 'charge')).toMatchObject({ type: 'FIXED_LEN_BYTE_ARRAY', logical_type: { type: 'DECIMAL', precision: 38, scale: 12 } });
    expect(await money.sql('SELECT kind, trim_scale(amount)::text AS amount FROM usage_archive_total WHERE partition = $1 ORDER BY kind', [name])).toEqual([
      { kind: 'charge', amount: '308641972530864197250.000000000025' },
      { kind: 'cost', amount: '0.000000000025' },
      { kind: 'rated', amount: '308641972530864197253.0864197253' },
      { kind: 'rows', amount: '25' },
    ]);
  });

  it('remembers what each grant and lease gave, for the proof of the books', async () => {
    const [grant] = (await money.newTenant('10')).grantIds;
    const id = mint(begins.getTime() + 600);
    const lease = (await money.take(session, { need: '5', firstUsageId: id })).leases[0]!.leaseId;
    const allocated = (attempt: number, amount: string) => money.usageRow({ id, attempt, charge: amount, allocations: [{ lease, grant: grant!, amount }] });
    await settle([allocated(0, '1.5'), allocated(1, '0.000000000001')]);
    await exportPartition(money.owner, name, folder, now);
    const totals = await money.sql('SELECT kind, key, trim_scale(amount)::text AS amount FROM usage_archive_total WHERE organization_id = $1 AND kind = ANY ($2) ORDER BY kind', [
      money.tenant.organizationId, ['grant', 'lease', 'rows'],
    ]);
    expect(totals).toEqual([
      { kind: 'grant', key: grant, amount: '1.500000000001' },
      { kind: 'lease', key: lease, amount: '1.500000000001' },
      { kind: 'rows', key: money.tenant.organizationId, amount: '2' },
    ]);
    // The lease is open since then: what it spent is read from these rows when it closes, so they stay.
    await rateAll();
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_in_use' });
    await money.giveBack(session, { lease, keep: '1.500000000001', close: true });
    expect(await detachPartition(money.owner, name, now)).toMatchObject({ state: 'detached' });
  });

  it('of nothing is a file of no rows', async () => {
    await money.sql(`TRUNCATE ${name}`);
    expect(await exportPartition(money.owner, name, folder, now)).toMatchObject({ rows: 0n });
  });

  it('may be done again: it replaces the first', async () => {
    const first = await exportPartition(money.owner, name, folder, now);
    await settle([hardRow(100)]);
    const second = await exportPartition(money.owner, name, folder, now);
    expect([first.rows, second.rows]).toEqual([25n, 26n]);
  });

  it('that is damaged on its way to the disk is noticed before anything is recorded', async () => {
    const damage = async (step: ArchiveStep): Promise<void> => {
      if (step !== 'written') return;
      const bytes = readFileSync(`${file()}.unfinished`);
      // The last data page of the first group: a byte of a value.
      bytes[60] = bytes[60]! ^ 1;
      writeFileSync(`${file()}.unfinished`, bytes);
    };
    await expect(exportPartition(money.owner, name, folder, now, { onStep: damage })).rejects.toThrow();
    expect(await stateOf()).toMatchObject({ state: 'attached' });
    expect(existsSync(file())).toBe(false);
  });

  it('of a month that ended a month ago is refused', async () => {
    await expect(exportPartition(money.owner, name, folder, new Date(begins.getTime() + 60 * 86_400_000))).rejects.toMatchObject({ code: 'partition_too_young' });
  });
});

describe('a range that has left', () => {
  it('bills nothing again: a settlement that is executed once more is refused whole, and changes nothing', async () => {
    const before = await money.sql('SELECT count(*) FROM unrated_batch');
    await archive();
    expect(await stored()).toBe(0);
    expect(await sqlStateFrom(settle(rows, flush))).toBe('23000');
    expect(await sqlStateFrom(settle([rows[3]!], flush + 1))).toBe('23000');
    expect([await stored(), await money.sql('SELECT count(*) FROM unrated_batch')]).toEqual([0, before]);
    // Others of the same time that nobody has seen yet are no less refused, and today's go on.
    expect(await sqlStateFrom(settle([hardRow(999)]))).toBe('23000');
    expect(await money.settle(session, (flush += 1), { charge: 1, allocations: [] })).toBe(1);
    await rateAll();
  });

  it("puts a dead gateway's row of it into quarantine, and bills its others", async () => {
    const dead = await money.newSession();
    const fresh = { id: money.mintId(), charge: 2 };
    await archive();
    await money.checkpoint(dead, { id: mint(begins.getTime() + 500), charge: 1 }, fresh);
    expect(await money.reap(dead)).toMatchObject({ reaped: true, billed: 1 });
    expect(await money.sql('SELECT reason FROM usage_quarantine WHERE session_id = $1', [dead])).toEqual([{ reason: 'reap:23000' }]);
    await rateAll();
  });

  it('gets no new partition, and its neighbours do', async () => {
    await archive();
    const next = await makePartition(money.app, 'month', { from: begins, until: new Date(begins.getTime() + 40 * 86_400_000) }, 0);
    expect(next?.name).toBe(`usage_${new Date(Date.UTC(2020, month, 1)).toISOString().slice(0, 7).replace('-', '_')}`);
    month += 1;
  });

  it('keeps its rollups', async () => {
    const sum = (): Promise<{ requests: string }[]> => money.sql<{ requests: string }>("SELECT sum(requests)::text AS requests FROM usage_rollup WHERE grain_minutes = 1440 AND tag_key = ''");
    const before = await sum();
    await archive();
    await dropPartition(money.owner, name, nothingUnsealed);
    expect(await sum()).toEqual(before);
  });

  it('takes rows with it that came after its export: they are exported before it is done', async () => {
    await exportPartition(money.owner, name, folder, now);
    await settle([hardRow(100)]);
    await rateAll();
    expect(await detachPartition(money.owner, name, now)).toMatchObject({ state: 'detached', rows: 26n });
    expect((await digestFile(file(), await columnsOfUsage())).rows).toBe(26n);
  });
});

describe('detaching', () => {
  it.each([
    ['changed', (table: string) => `UPDATE ${table} SET end_user = 'somebody else' WHERE id = (SELECT id FROM ${table} ORDER BY id LIMIT 1)`],
    ['changed in its amount', (table: string) => `UPDATE ${table} SET cost = cost + 1 WHERE id = (SELECT id FROM ${table} ORDER BY id LIMIT 1)`],
    ['deleted', (table: string) => `DELETE FROM ${table} WHERE id = (SELECT id FROM ${table} ORDER BY id LIMIT 1)`],
  ])('is refused while usage that was exported is %s since, and nothing is exported anew', async (_, damage) => {
    const { digest } = await exportPartition(money.owner, name, folder, now);
    await money.sql(damage(name));
    await settle([hardRow(100)]);
    await rateAll();
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_changed', publicMessage: expect.stringContaining('reconcile') });
    expect(await stateOf()).toMatchObject({ state: 'exported', digest, rows: BigInt(rowCount) });
  });

  it('is refused again, and nothing dropped, where usage was changed after its table was taken off', async () => {
    await exportPartition(money.owner, name, folder, now);
    const stopped = new Error('killed');
    await expect(detachPartition(money.owner, name, now, { onStep: (step) => { if (step === 'detach_committed') throw stopped; } })).rejects.toBe(stopped);
    await money.sql(`UPDATE ${name} SET cost = cost + 1`);
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_changed' });
    await expect(dropPartition(money.owner, name, nothingUnsealed)).rejects.toThrow();
  });

  it.each([
    ['is not rated', async () => settle([hardRow(100)])],
    ['is not rolled up', async () => (await settle([hardRow(100)]), money.sql('DELETE FROM unrated_batch'))],
    ['still runs', async () => money.checkpoint(session, { id: mint(begins.getTime() + 500), charge: 1 })],
  ])('waits for usage of the range that %s', async (_name, use) => {
    await use();
    await exportPartition(money.owner, name, folder, now);
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_in_use' });
    expect(await stateOf()).toMatchObject({ state: 'exported' });
    await money.sql('DELETE FROM open_request');
    await rateAll();
    expect(await detachPartition(money.owner, name, now)).toMatchObject({ state: 'detached' });
  });

  it('waits for who reads usage, and lets settlements pass meanwhile', async () => {
    await exportPartition(money.owner, name, folder, now);
    const reader = await money.owner.connect();
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM usage');
    const detaching = detachPartition(money.owner, name, now, { lockWaitMs: 100 });
    await until('it waits', async () => (await money.sql("SELECT FROM pg_locks WHERE NOT granted AND relation = 'usage'::regclass")).length > 0);
    expect(await money.settle(session, (flush += 1), { charge: 0, counts: {} })).toBe(1);
    await rateAll();
    expect(await stateOf()).toMatchObject({ state: 'exported' });
    await reader.query('ROLLBACK');
    reader.release();
    expect(await detaching).toMatchObject({ state: 'detached' });
  });

  it('needs an export, and its file', async () => {
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_not_exported' });
    await exportPartition(money.owner, name, folder, now);
    rmSync(file());
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_file_missing' });
    expect(await stored()).toBe(rowCount);
  });
});

describe('a detached partition', () => {
  it('is compared with its file once: a timer that comes again reads nothing of it', async () => {
    await archive();
    const steps: ArchiveStep[] = [];
    expect(await detachPartition(money.owner, name, now, { onStep: (step) => void steps.push(step) })).toMatchObject({ state: 'detached', isProven: true });
    expect(steps).toEqual([]);
  });
});

describe('dropping', () => {
  it('needs a file that is whole', async () => {
    await exportPartition(money.owner, name, folder, now);
    await expect(dropPartition(money.owner, name, nothingUnsealed)).rejects.toMatchObject({ code: 'partition_not_detached' });
    await detachPartition(money.owner, name, now);
    const bytes = readFileSync(file());
    writeFileSync(file(), bytes.subarray(0, bytes.length - 1));
    await expect(dropPartition(money.owner, name, nothingUnsealed)).rejects.toMatchObject({ code: 'partition_file_differs' });
    rmSync(file());
    await expect(dropPartition(money.owner, name, nothingUnsealed)).rejects.toMatchObject({ code: 'partition_file_missing' });
    expect(await exportPartition(money.owner, name, folder, now)).toMatchObject({ state: 'detached', rows: BigInt(rowCount) });
    expect(await dropPartition(money.owner, name, nothingUnsealed)).toMatchObject({ state: 'dropped' });
    expect(await money.sql('SELECT to_regclass($1)::text AS there', [name])).toEqual([{ there: null }]);
    expect(await dropPartition(money.owner, name, nothingUnsealed)).toMatchObject({ state: 'dropped' });
    await expect(exportPartition(money.owner, name, folder, now)).rejects.toMatchObject({ code: 'partition_dropped' });
  });
});

describe('a column that is added to usage', () => {
  const add = () => money.sql("ALTER TABLE usage ADD COLUMN added text");
  afterEach(() => money.sql('ALTER TABLE usage DROP COLUMN IF EXISTS added'));

  it('between detaching and dropping changes nothing of the table that left', async () => {
    await archive();
    await add();
    expect(await detachPartition(money.owner, name, now)).toMatchObject({ state: 'detached', isProven: true });
    expect(await exportPartition(money.owner, name, folder, now)).toMatchObject({ state: 'detached', rows: BigInt(rowCount) });
    expect(await dropPartition(money.owner, name, nothingUnsealed)).toMatchObject({ state: 'dropped' });
  });

  it('between export and detaching makes the file anew, with it', async () => {
    await exportPartition(money.owner, name, folder, now);
    await add();
    expect(await detachPartition(money.owner, name, now)).toMatchObject({ state: 'detached', isProven: true });
    expect((await readFileColumns(file())).has('added')).toBe(true);
    expect(await dropPartition(money.owner, name, nothingUnsealed)).toMatchObject({ state: 'dropped' });
  });

  it('hides no change of a row that was exported before', async () => {
    await exportPartition(money.owner, name, folder, now);
    await add();
    await money.sql(`UPDATE ${name} SET cost = cost + 1 WHERE id = (SELECT id FROM ${name} ORDER BY id LIMIT 1)`);
    await expect(detachPartition(money.owner, name, now)).rejects.toMatchObject({ code: 'partition_changed' });
  });
});

describe('the seals and opened requests of a range', () => {
  it('leave with its table, and others stay, also those of a flush that has rows of both', async () => {
    const [there, here] = [mint(begins.getTime() + 700), money.mintId()];
    await money.sql('UPDATE usage_seal_horizon SET sealed_from = NULL');
    const [horizon] = await money.sql("SELECT sealed_at + interval '1 minute' AS sealed_from FROM usage_seal ORDER BY id LIMIT 1");
    await settle([{ ...hardRow(101), id: there }, money.usageRow({ id: here, charge: 0, counts: {} })]);
    await money.sql('INSERT INTO opened_request (organization_id, id, session_id) SELECT $1, k.id, $2 FROM unnest($3::uuid[]) AS k (id)', [money.tenant.organizationId, session, [there, here]]);
    await rateAll();
    await archive();
    await dropPartition(money.owner, name, nothingUnsealed);
    const left = await money.sql<{ ids: string[]; digests: Buffer[] }>('SELECT usage_ids AS ids, digests FROM usage_seal WHERE session_id = $1 AND flush = $2', [session, flush]);
    expect(left).toEqual([{ ids: [here], digests: [expect.any(Buffer)] }]);
    const next = new Date(Date.UTC(2020, month, 1));
    expect(await money.sql('SELECT FROM usage_seal e CROSS JOIN LATERAL unnest(e.usage_ids) AS k (id) WHERE k.id >= uuid_floor($1) AND k.id < uuid_floor($2)', [begins, next])).toEqual([]);
    expect(await money.sql('SELECT id FROM opened_request WHERE id = ANY ($1)', [[there, here]])).toEqual([{ id: here }]);
    expect(await money.sql('SELECT sealed_from FROM usage_seal_horizon')).toEqual([horizon]);
  });

  it('stay, with the table, where a row is not as it was sealed', async () => {
    await archive();
    const before = await money.sql('SELECT count(*) FROM usage_seal');
    await expect(dropPartition(money.owner, name, (_db, partition) => Promise.resolve([`a row of ${partition.name}`]))).rejects.toMatchObject({ code: 'partition_changed', publicMessage: expect.stringContaining(`a row of ${name}`) });
    expect([await stateOf(), await money.sql('SELECT count(*) FROM usage_seal')]).toMatchObject([{ state: 'detached' }, before]);
  });
});

const steps: ArchiveStep[] = ['written', 'verified', 'renamed', 'recorded', 'export_committed', 'locked', 'detached', 'detach_committed', 'proven', 'dropped', 'drop_committed'];

describe('whoever is killed', () => {
  it.each(steps)('when it has %s does it again, and every row is in the database or in the file all the while', async (deadly) => {
    let reached = 0;
    /** As a kill: all connections of the process break, and none of its code runs on. */
    const die = async (step: ArchiveStep): Promise<void> => {
      if (step !== deadly || (reached += 1) > 1) return;
      await money.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'test owner' AND pid <> pg_backend_pid()");
      throw new Error('killed');
    };
    const all = async (onStep: (step: ArchiveStep) => Promise<void>): Promise<void> => {
      await exportPartition(money.owner, name, folder, now, { rowsPerGroup: 10, onStep });
      await detachPartition(money.owner, name, now, { onStep });
      await dropPartition(money.owner, name, nothingUnsealed, { onStep });
    };
    await expect(all(die)).rejects.toThrow('killed');
    const { state } = await stateOf();
    if (state === 'attached' || state === 'exported') expect(await stored()).toBe(rowCount);
    if (state !== 'attached') expect((await digestFile(file(), await columnsOfUsage())).rows).toBe(BigInt(rowCount));
    if (state === 'detached') expect(await money.sql(`SELECT count(*) FROM ${name}`)).toEqual([{ count: BigInt(rowCount) }]);

    if (state === 'dropped') await dropPartition(money.owner, name, nothingUnsealed);
    else await all(async () => undefined);
    const dropped = await stateOf();
    expect(dropped).toMatchObject({ state: 'dropped', rows: BigInt(rowCount) });
    expect((await digestFile(file(), await columnsOfUsage())).digest()).toBe(dropped.digest);
    expect(await sqlStateFrom(settle(rows, flush))).toBe('23000');
  });
});
