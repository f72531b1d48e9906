import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createIdMinter, ensureAuditLogin } from '@kilotoken/platform';
import { detachPartition, exportPartition, makePartition, type Partition } from '@kilotoken/usage/partitions';
import type pg from 'pg';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { until } from '../../../test/support/until.js';
import { openAuditPool } from './audit-pool.store.js';
import { describeFinding, type ReconcileReport } from './reconcile.js';
import { runReconcile, type ReconcileOptions } from './reconcile.flow.js';

/** A month of 25 rows in three row groups; the kinds of damage are in the catalogue. The tests share it and run in order. */
const now = new Date('2026-09-01T00:00:00Z');
const mint = createIdMinter(() => 1);
const begins = Date.UTC(2020, 0, 1);

let money: MoneyDatabase;
let folder: string;
let session: string;
let audit: pg.Pool;
let exported: Partition;
let whole: Buffer;
let flushes = 0;

const settle = (...moments: number[]): Promise<unknown> =>
  money.app.query('SELECT settle($1, $2, $3)', [session, (flushes += 1), JSON.stringify(moments.map((moment) => money.usageRow({ id: mint(begins + moment), charge: '0', counts: {} })))]);
const exportAgain = async (options = {}): Promise<void> => {
  exported = await exportPartition(money.owner, 'usage_2020_01', folder, now, { rowsPerGroup: 10, ...options });
  whole = readFileSync(exported.file!);
};

beforeAll(async () => {
  money = await MoneyDatabase.create();
  session = await money.newSession();
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-archive-'));
  const auditUrl = await ensureAuditLogin(money.database.ownerUrl, `audit_${randomBytes(4).toString('hex')}`, randomBytes(16).toString('hex'));
  audit = openAuditPool(auditUrl, { onIdleError: () => undefined });
  await makePartition(money.app, 'month', { from: new Date(begins), until: new Date(begins + 1) }, 0);
  await settle(...Array.from({ length: 25 }, (_, index) => index));
  await exportAgain();
});
afterAll(async () => {
  await audit.end();
  await money.drop();
  for (const path of [folder, `${folder}-elsewhere`]) rmSync(path, { recursive: true, force: true });
});
afterEach(() => writeFileSync(exported.file!, whole));

const run = (options: ReconcileOptions = {}, pool: pg.Pool = audit): Promise<ReconcileReport> => runReconcile(pool, options);
const findingsOf = ({ checks }: ReconcileReport): string[] => checks.filter(({ name }) => name.startsWith('archive-file')).flatMap((check) => check.findings.map((finding) => describeFinding(check, finding)));
/** Flips a bit in the middle of a row group. */
const damage = async (group: number, path = exported.file!): Promise<void> => {
  const [{ ends }] = await money.sql<{ ends: bigint[] }>('SELECT part_ends AS ends FROM usage_archive') as [{ ends: bigint[] }];
  const bytes = Buffer.from(whole);
  const middle = Math.floor((Number(group === 1 ? 0n : ends[group - 2]!) + Number(ends[group - 1]!)) / 2);
  bytes[middle] = bytes[middle]! ^ 16;
  writeFileSync(path, bytes);
};

describe('files of exported usage', () => {
  it('are read by the login of the nightly job, whole', async () => {
    const report = await run();
    expect(report.archives).toEqual({ files: 1, rows: 25, unread: [] });
    expect(findingsOf(report)).toEqual([]);
  });

  it.each([[1, '1 to 10'], [2, '11 to 20'], [3, '21 to 25']])('that are damaged in row group %i are named with it', async (group, rows) => {
    await damage(group);
    const findings = findingsOf(await run());
    expect(findings.length).toBeGreaterThan(0);
    for (const finding of findings) expect(finding).toContain(`file ${exported.file}, rows ${rows}, partition usage_2020_01, row group ${group}`);
  });

  it('of a release that kept no digests of row groups are named whole', async () => {
    await damage(2);
    await money.sql('UPDATE usage_archive SET part_ends = NULL, part_rows = NULL, part_sha256 = NULL WHERE partition = $1', [exported.name]);
    expect(findingsOf(await run())).toEqual([expect.stringContaining(`SHA-256 ${exported.fileSha256}`)]);
    await exportAgain();
  });

  it('outside of the period are not read', async () => {
    expect((await run({ from: new Date('2020-03-01') })).archives).toEqual({ files: 0, rows: 0, unread: [] });
    expect((await run({ to: new Date('2020-01-02') })).archives).toMatchObject({ files: 1 });
  });

  it('that are replaced while they are read are left to the next run', async () => {
    await settle(500);
    let reading: Promise<ReconcileReport> | undefined;
    await exportAgain({
      onStep: async (step: string) => {
        if (step !== 'renamed') return;
        reading = run();
        await until('it waits for the record', async () => (await money.sql("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).length > 0);
      },
    });
    const report = await reading!;
    expect(report.archives).toEqual({ files: 0, rows: 0, unread: [{ partition: exported.name, file: exported.file, reason: 'it was exported anew meanwhile' }] });
    expect(findingsOf(report)).toEqual([]);
  });

  it('of a table that was taken off are proven, and named by row group alone where the login may not read the table', async () => {
    await money.sql('DELETE FROM unrated_batch');
    await money.app.query('SELECT rollup_add(1000)');
    await detachPartition(money.owner, exported.name, now);
    expect(findingsOf(await run())).toEqual([]);
    await damage(2);
    expect(findingsOf(await run())).toEqual([expect.stringContaining('rows 11 to 20, partition usage_2020_01, row group 2: expected SHA-256')]);
  });

  it('elsewhere are said to be unread, and are read where they are said to be', async () => {
    const elsewhere = `${folder}-elsewhere`;
    renameSync(folder, elsewhere);
    const unread = await run();
    expect(unread.archives).toEqual({ files: 0, rows: 0, unread: [{ partition: exported.name, file: exported.file, reason: 'its folder cannot be reached from here' }] });
    expect(findingsOf(unread)).toEqual([]);
    expect((await run({ archiveFolder: elsewhere })).archives).toMatchObject({ files: 1, rows: 26, unread: [] });
    await damage(1, join(elsewhere, 'usage_2020_01.parquet'));
    expect(findingsOf(await run({ archiveFolder: elsewhere }))).toEqual([expect.stringContaining('row group 1')]);
    await expect(run({ archiveFolder: folder })).rejects.toMatchObject({ code: 'reconcile_archive' });
    renameSync(elsewhere, folder);
  });

  it('are said to be unread where the database takes no temporary tables', async () => {
    const [{ name }] = await money.sql<{ name: string }>('SELECT current_database() AS name') as [{ name: string }];
    await money.sql(`REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
    const report = await run();
    expect(report.archives).toMatchObject({ files: 0, unread: [{ reason: 'this database takes no temporary tables' }] });
    expect(report.checks.length).toBeGreaterThan(50);
  });
});
