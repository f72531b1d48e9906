import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AppError, inTransaction, sqlStateOf } from '@kilotoken/platform';
import type { Pool, PoolClient } from 'pg';
import { digestFile, readFileColumns, readParts, RowDigest, sha256OfFile, writeRows, type TextRow } from './partition-file.store.js';
import { isDue, retentionDaysMin, type Column, type Partition } from './partition.js';
import { detachPartitionTable, dropPartitionTable, findUseOf, listPartitions, lockArchive, lockForDetach, markProven, pruneProofs, readColumns, readRows, recordExport, removeEmptyTable } from './partition.store.js';

/**
 * How usage leaves the database: a partition is exported to a file that is read back, taken off, proven once more and, on request,
 * dropped. Whoever does it may be killed at any step and do it again: each step is there whole or not at all, and nothing that is not
 * proven to be in the file is dropped. Runs as the owner of the database.
 */
export interface ArchiveOptions {
  /** How many rows are in memory at once. */
  readonly rowsPerGroup?: number;
  /** Told of each step, in order; a test dies there. */
  readonly onStep?: (step: ArchiveStep) => void | Promise<void>;
  readonly lockWaitMs?: number;
}

export type ArchiveStep = 'written' | 'verified' | 'renamed' | 'recorded' | 'export_committed' | 'locked' | 'detached' | 'detach_committed' | 'proven' | 'dropped' | 'drop_committed';

const rowsPerGroupDefault = 20_000;
const lockWaitMsDefault = 500;
const detachTriesMax = 20;
const betweenTriesMs = 500;
const nothing = (): void => undefined;

const refuse = (code: string, publicMessage: string): AppError => new AppError({ code, kind: 'conflict', publicMessage });

const getPartition = async (pool: Pool, name: string): Promise<Partition> => {
  const partition = (await listPartitions(pool)).find((one) => one.name === name);
  if (!partition) throw new AppError({ code: 'partition_not_found', kind: 'not_found', publicMessage: `There is no partition ${name} of usage.` });
  return partition;
};

async function* digested(groups: AsyncIterable<TextRow[]>, digest: RowDigest): AsyncGenerator<TextRow[]> {
  for await (const rows of groups) {
    rows.forEach((row) => digest.add(row));
    yield rows;
  }
}

/** Runs in one snapshot. */
const inSnapshot = <Result>(pool: Pool, read: (db: PoolClient) => Promise<Result>): Promise<Result> =>
  inTransaction(pool, async (db) => {
    await db.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return read(db);
  });

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
};

/**
 * Writes a partition to `<folder>/<name>.parquet`, reads the file back, and records it only if each row in it is what the database
 * has. Exporting again replaces file and record. The file appears whole under its name.
 */
export const exportPartition = async (pool: Pool, name: string, folder: string, now: Date, options: ArchiveOptions = {}): Promise<Partition> => {
  const { rowsPerGroup = rowsPerGroupDefault, onStep = nothing } = options;
  const partition = await getPartition(pool, name);
  if (partition.state === 'dropped') throw refuse('partition_dropped', `${name} was dropped; its rows are in ${partition.file}.`);
  if (!isDue(partition, now, retentionDaysMin)) throw refuse('partition_too_young', `${name} ended less than ${retentionDaysMin} days ago: usage may still be written to it.`);

  const path = join(resolve(folder), `${name}.parquet`);
  const unfinished = `${path}.unfinished`;
  await mkdir(dirname(path), { recursive: true });
  const columns = await readColumns(pool, name);
  const stored = new RowDigest();
  await inSnapshot(pool, (db) => writeRows(unfinished, columns, digested(readRows(db, name, columns, rowsPerGroup), stored)));
  const digest = stored.digest();
  await onStep('written');
  await assertFileHolds(unfinished, columns, stored.rows, digest);
  const parts = await readParts(unfinished);
  const hashed = await sha256OfFile(unfinished, parts);
  await onStep('verified');
  await inTransaction(pool, async (db) => {
    await lockArchive(db);
    await rename(unfinished, path);
    await syncFolder(dirname(path));
    await onStep('renamed');
    const counted = await recordExport(db, partition, { rows: stored.rows, digest, path, parts, ...hashed });
    if (counted !== stored.rows) throw refuse('partition_changed', `${name} has ${counted} rows now, ${stored.rows} were exported: export it again.`);
    await onStep('recorded');
  });
  await onStep('export_committed');
  return getPartition(pool, name);
};

const assertFileHolds = async (path: string, columns: readonly Column[], rows: bigint, digest: string): Promise<void> => {
  const read = await digestFile(path, columns);
  if (read.rows !== rows || read.digest() !== digest) throw refuse('partition_file_differs', `${path} does not hold what the database has: ${read.rows} of ${rows} rows, or other values. Nothing was changed.`);
};

/** The table itself against its record: late rows, that came between export and detaching, would show here. */
const holdsWhatWasExported = async (pool: Pool, partition: Partition): Promise<boolean> => holds(pool, partition, await readColumns(pool, partition.name), false);

const holds = async (pool: Pool, { name, rows, digest }: Partition, columns: readonly Column[], exportedOnly: boolean): Promise<boolean> => {
  const stored = new RowDigest();
  await inSnapshot(pool, async (db) => {
    for await (const group of readRows(db, name, columns, rowsPerGroupDefault, exportedOnly)) group.forEach((row) => stored.add(row));
  });
  return stored.rows === rows && stored.digest() === digest;
};

/**
 * Rows may have come since the export, and a column may have been added, which the file lacks. The exported ones are evidence and must be unchanged:
 * otherwise a second export would store the change, and the detached partition would take the evidence away.
 */
const assertExportedUnchanged = async (pool: Pool, partition: Partition): Promise<void> => {
  const columns = await readColumns(pool, partition.name);
  const exported = partition.file !== null && existsSync(partition.file) ? await readFileColumns(partition.file) : null;
  if (await holds(pool, partition, exported ? columns.filter(({ name }) => exported.has(name)) : columns, true)) return;
  throw refuse('partition_changed', `Rows of ${partition.name} were changed or deleted after they were exported, so it is not detached. npm run reconcile names them (usage-sealed); export it again once it is known why.`);
};

/**
 * Takes an exported partition off usage and closes its range in the same transaction: from then on no row of it can be inserted, so none is
 * billed again. Then proves that the file has all rows; those that came late are exported now. Detaching again finishes what was begun.
 */
export const detachPartition = async (pool: Pool, name: string, now: Date, options: ArchiveOptions = {}): Promise<Partition> => {
  const { onStep = nothing, lockWaitMs = lockWaitMsDefault } = options;
  const partition = await getPartition(pool, name);
  if (partition.state === 'dropped') return partition;
  if (partition.state === 'attached' || partition.file === null) throw refuse('partition_not_exported', `Export ${name} first.`);
  if (partition.state === 'exported') {
    if (!existsSync(partition.file)) throw refuse('partition_file_missing', `${partition.file} is not there: export ${name} again.`);
    await assertExportedUnchanged(pool, partition);
    await withLockRetries(name, () =>
      inTransaction(pool, async (db) => {
        await lockForDetach(db, name, lockWaitMs);
        await onStep('locked');
        const use = await findUseOf(db, partition);
        if (use) throw refuse('partition_in_use', `There are ${use} in the range of ${name}, or older.`);
        await detachPartitionTable(db, name);
        await onStep('detached');
      }),
    );
    await onStep('detach_committed');
  }
  const detached = await getPartition(pool, name);
  if (detached.isProven) return detached;
  await assertExportedUnchanged(pool, detached);
  if (!(await holdsWhatWasExported(pool, detached))) await exportPartition(pool, name, dirname(partition.file), now, options);
  await markProven(pool, name);
  await onStep('proven');
  return getPartition(pool, name);
};

/** A reader that goes on for long keeps the lock: look again, a bounded number of times, and let others pass in between. */
const withLockRetries = async (name: string, detach: () => Promise<void>): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await detach();
    } catch (error) {
      if (sqlStateOf(error) !== '55P03') throw error;
      if (tries >= detachTriesMax) throw new AppError({ code: 'partition_busy', kind: 'unavailable', publicMessage: `${name} is being read: it could not be locked. Nothing was changed; try again.`, cause: error });
      await new Promise((resume) => setTimeout(resume, betweenTriesMs));
    }
  }
};

/** Answers the rows of a detached partition that are not as their seals say: of `reconcile`, which is above this library. */
export type ProveSeals = (db: PoolClient, partition: Partition) => Promise<readonly string[]>;

/**
 * Drops a detached partition's table, once its file was read whole and has each of its rows, and each row is proven by its seal. The seals
 * leave with it.
 */
export const dropPartition = async (pool: Pool, name: string, proveSeals: ProveSeals, options: ArchiveOptions = {}): Promise<Partition> => {
  const { onStep = nothing } = options;
  const partition = await getPartition(pool, name);
  if (partition.state === 'dropped') return partition;
  if (partition.state !== 'detached' || partition.file === null) throw refuse('partition_not_detached', `Detach ${name} first.`);
  if (!existsSync(partition.file)) throw refuse('partition_file_missing', `${partition.file} is not there: export ${name} again.`);
  if ((await sha256OfFile(partition.file)).sha256 !== partition.fileSha256) throw refuse('partition_file_differs', `${partition.file} is not the file that was written: export ${name} again.`);
  await assertFileHolds(partition.file, await readColumns(pool, name), partition.rows!, partition.digest!);
  if (!(await holdsWhatWasExported(pool, partition))) throw refuse('partition_file_differs', `${name} has other rows than its file: detach it again.`);
  await inTransaction(pool, async (db) => {
    const unsealed = await proveSeals(db, partition);
    if (unsealed.length > 0) throw refuse('partition_changed', `${name} is not dropped, because usage of it is not as it was sealed: ${unsealed.join('; ')}`);
    await pruneProofs(db, partition);
    await dropPartitionTable(db, name);
    await onStep('dropped');
  });
  await onStep('drop_committed');
  return getPartition(pool, name);
};

/**
 * Removes a partition that is still to come and has no row: so that its time can be divided otherwise. Until its successors are made,
 * usage of its time goes to the default partition.
 */
export const removeEmptyPartition = async (pool: Pool, name: string, now: Date, { lockWaitMs = lockWaitMsDefault }: ArchiveOptions = {}): Promise<void> => {
  const { state, from } = await getPartition(pool, name);
  if (state !== 'attached' || from <= now) throw refuse('partition_in_use', `${name} is not one that is still to come.`);
  await withLockRetries(name, () =>
    inTransaction(pool, async (db) => {
      await lockForDetach(db, name, lockWaitMs);
      if (!(await removeEmptyTable(db, name))) throw refuse('partition_in_use', `${name} has rows.`);
    }),
  );
};
