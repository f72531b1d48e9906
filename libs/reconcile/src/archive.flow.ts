import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '@kilotoken/platform';
import type pg from 'pg';
import { hashFile, reachFile, readRowGroups, RowsHash, type FileHash, type RowGroup } from './archive-file.store.js';
import { addUp, createFileTables, insertDamage, insertFile, listRecords, listReplaced, readRecordAtRest, readTableRows, type ArchiveRecord, type FileDamage } from './archive.store.js';
import type { ArchiveSummary, UnreadFile } from './reconcile.js';
import type { IdRange } from './scope.js';

/** Reads files of exported usage, before the snapshot: what an export recorded was committed before. */
export interface ArchiveOptions {
  /** Where this machine has the files. Null or absent: where they were written. */
  readonly archiveFolder?: string | null;
  readonly signal?: AbortSignal;
}

export interface LoadedArchives extends ArchiveSummary {
  /** Whether the connection has the tables that checks compare. */
  readonly hasTables: boolean;
}

const rowsNamedMax = 20;
const exportedAnew = 'it was exported anew meanwhile';

/** Fills the tables of `archive.store.ts`. */
export const loadArchives = async (db: pg.PoolClient, { firstId, untilId }: IdRange, { archiveFolder = null, signal }: ArchiveOptions): Promise<LoadedArchives> => {
  if (archiveFolder !== null) await assertFolder(archiveFolder);
  const records = await listRecords(db, firstId, untilId);
  if (records.length === 0) return { files: 0, rows: 0, unread: [], hasTables: false };
  const pathOf = ({ file }: ArchiveRecord): string => (archiveFolder === null ? file : join(archiveFolder, basename(file)));
  if (!(await createFileTables(db))) {
    return { files: 0, rows: 0, unread: records.map((record) => ({ partition: record.partition, file: pathOf(record), reason: 'this database takes no temporary tables' })), hasTables: false };
  }
  const unread: UnreadFile[] = [];
  let [files, rows] = [0, 0];
  for (const record of records) {
    signal?.throwIfAborted();
    const path = pathOf(record);
    const read = await readOne(db, record, path, signal);
    if (typeof read === 'string') unread.push({ partition: record.partition, file: path, reason: read });
    else [files, rows] = [files + 1, rows + read];
  }
  await db.query('ANALYZE pg_temp.archive_file_total');
  return { files, rows, unread, hasTables: true };
};

/** The files of a report, once the snapshot shows which of them were replaced since they were read. */
export const summarizeArchives = async (db: pg.PoolClient, { files, rows, unread, hasTables }: LoadedArchives): Promise<ArchiveSummary> => {
  const replaced = hasTables ? await listReplaced(db) : [];
  return { files: files - replaced.length, rows, unread: [...unread, ...replaced.map((file) => ({ ...file, reason: exportedAnew }))] };
};

const assertFolder = async (folder: string): Promise<void> => {
  const isThere = await stat(folder).then((found) => found.isDirectory(), () => false);
  if (!isThere) throw new AppError({ code: 'reconcile_archive', kind: 'invalid', publicMessage: `${folder}, where exported files should be, is no folder here.` });
};

/** Answers how many rows were read, or why none were. */
const readOne = async (db: pg.PoolClient, record: ArchiveRecord, path: string, signal: AbortSignal | undefined): Promise<number | string> => {
  const nothing = { sha256: null, bytes: null, rows: null, digest: null, isSummed: false };
  const damaged = async (damages: readonly FileDamage[], hash: FileHash | null): Promise<number | string> => {
    // An export that replaces the file records it a moment later: then the record that was read is not that of the file.
    const atRest = await readRecordAtRest(db, record.partition);
    if (atRest?.exportedAt !== record.exportedAt) return exportedAnew;
    for (const damage of damages) await insertDamage(db, record, damage);
    await insertFile(db, record, path, { ...nothing, ...(hash && { sha256: hash.sha256, bytes: hash.bytes }) });
    return 0;
  };

  const reach = await reachFile(path);
  if (typeof reach === 'object') return reach.unreached;
  if (reach === 'missing') return damaged([{ place: {}, expected: 'a file', found: 'none' }], null);
  let hash: FileHash;
  try {
    hash = await hashFile(path, record.partEnds, signal);
  } catch (error) {
    signal?.throwIfAborted();
    return damaged([{ place: {}, expected: 'a file', found: `one that cannot be read: ${(error as Error).message}` }], null);
  }
  if (hash.sha256 !== record.sha256 || hash.bytes !== record.bytes) return damaged(await locate(db, record, path, hash), hash);
  const rows = new RowsHash();
  try {
    for await (const group of readRowGroups(path)) {
      signal?.throwIfAborted();
      rows.add(group.rows);
      await addUp(db, record, group);
    }
  } catch (error) {
    signal?.throwIfAborted();
    return damaged([{ place: {}, expected: 'rows of usage', found: `what cannot be read as such: ${(error as Error).message}` }], hash);
  }
  await insertFile(db, record, path, { sha256: hash.sha256, bytes: hash.bytes, rows: rows.rows, digest: rows.digest(), isSummed: true });
  return rows.rows;
};

/** Names the parts whose bytes are others, and in them the rows, where the table is still there to compare with. */
const locate = async (db: pg.PoolClient, record: ArchiveRecord, path: string, { parts }: FileHash): Promise<FileDamage[]> => {
  const { partRows, partSha256 } = record;
  const damages: FileDamage[] = [];
  let firstRow = 0n;
  for (const [index, expected] of partSha256.entries()) {
    const rows = partRows[index]!;
    if (parts[index] !== expected) {
      const isEnd = index === partSha256.length - 1;
      const named = isEnd ? [] : await compareRows(db, record, path, index);
      const place: FileDamage['place'] = isEnd ? { part: 'footer' } : { 'row group': index + 1, rows: `${firstRow + 1n} to ${firstRow + rows}` };
      if (named.length > 0) damages.push(...named.map((damage) => ({ ...damage, place: { ...place, ...damage.place } })));
      else damages.push({ place, expected: `SHA-256 ${expected}`, found: parts[index] === undefined ? 'a file that ends before' : `SHA-256 ${parts[index]}` });
    }
    firstRow += rows;
  }
  return damages;
};

const compareRows = async (db: pg.PoolClient, record: ArchiveRecord, path: string, index: number): Promise<FileDamage[]> => {
  let group: RowGroup | undefined;
  try {
    for await (const read of readRowGroups(path, index)) group = read;
  } catch {
    // Damaged bytes need not be decodable: the row group is named, and no row.
    return [];
  }
  if (!group) return [];
  const { columns, firstRow, rows } = group;
  const stored = await readTableRows(db, record, columns, firstRow, rows.length);
  if (stored?.length !== rows.length) return [];
  const [id, attempt] = [columns.indexOf('id'), columns.indexOf('attempt')];
  return stored.flatMap((cells, at): FileDamage[] => {
    const others = columns.flatMap((name, column) => (cells[column] === rows[at]![column] ? [] : [{ name, expected: cells[column], found: rows[at]![column] }]));
    if (others.length === 0) return [];
    const text = (side: 'expected' | 'found'): string => others.map((other) => `${other.name} ${other[side] ?? 'null'}`).join(', ');
    return [{ place: { usage: cells[id]!, attempt: cells[attempt]! }, expected: text('expected'), found: text('found') }];
  }).slice(0, rowsNamedMax);
};
