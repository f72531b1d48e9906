import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead, type SchemaElement } from 'hyparquet';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import { fileValueOf, textOfFileValue, type Column, type ColumnKind } from './partition.js';

/** Rows of usage as Parquet. Its memory is bounded by one row group. */
export type TextRow = readonly (string | null)[];

/** Over rows in the order of their key: the same of the same rows, wherever they are read. */
export class RowDigest {
  private readonly hash = createHash('sha256');
  rows = 0n;

  add(row: TextRow): void {
    this.hash.update(`${JSON.stringify(row)}\n`);
    this.rows += 1n;
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}

const elements: Readonly<Record<ColumnKind, Partial<SchemaElement>>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  boolean: { type: 'BOOLEAN' },
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  decimal: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, converted_type: 'DECIMAL', scale: 12, precision: 38, logical_type: { type: 'DECIMAL', scale: 12, precision: 38 } },
  timestamp: { type: 'INT64', converted_type: 'TIMESTAMP_MICROS', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } },
};

const schemaOf = (columns: readonly Column[]): SchemaElement[] => [
  { name: 'usage', num_children: columns.length },
  ...columns.map(({ name, kind, nullable }): SchemaElement => ({ name, repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED', ...elements[kind] })),
];

/** Writes groups of rows to a new file, and has them on the disk when it answers. */
export const writeRows = async (path: string, columns: readonly Column[], groups: AsyncIterable<readonly TextRow[]>): Promise<void> => {
  const writer = new ParquetWriter({ writer: fileWriter(path), schema: schemaOf(columns), createdBy: 'kilotoken' });
  for await (const rows of groups) {
    const columnData = columns.map(({ name, kind }, index) => ({ name, data: rows.map((row) => fileValueOf(kind, row[index] ?? null)) }));
    await writer.write({ columnData, rowGroupSize: rows.length });
  }
  await writer.finish();
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
};

export const readFileColumns = async (path: string): Promise<ReadonlySet<string>> => {
  const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  return new Set(schema.slice(1).map(({ name }) => name));
};

/** Reads a file back, whole, group by group; throws where it has other columns. */
export const digestFile = async (path: string, columns: readonly Column[]): Promise<RowDigest> => {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const names = metadata.schema.slice(1).map(({ name }) => name);
  if (JSON.stringify(names) !== JSON.stringify(columns.map(({ name }) => name))) throw new Error(`${path} has other columns than the partition: ${names.join(', ')}`);
  // The reader would make binary fractions of decimals: it is told that they are bytes.
  metadata.schema = metadata.schema.map((element) => (element.converted_type === 'DECIMAL' ? { ...element, converted_type: undefined, logical_type: undefined } : element));
  const digest = new RowDigest();
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    await parquetRead({
      file, metadata, rowStart, rowEnd,
      parsers: { timestampFromMicroseconds: (micros: bigint) => micros as never },
      onComplete: (rows: unknown[][]) => rows.forEach((row) => digest.add(columns.map(({ kind }, index) => textOfFileValue(kind, row[index])))),
    });
    rowStart = rowEnd;
  }
  return digest;
};

/** A part of a file: a row group, or what stands behind the last one. The first begins with the file. */
export interface FilePart {
  /** The byte after its last one. */
  readonly end: bigint;
  readonly rows: bigint;
}

/** Where the row groups of a file end, and the file. */
export const readParts = async (path: string): Promise<FilePart[]> => {
  const { row_groups: groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  const parts = groups.map(({ num_rows: rows, columns }): FilePart => {
    const ends = columns.map(({ meta_data: column }) => (column!.dictionary_page_offset ?? column!.data_page_offset) + column!.total_compressed_size);
    return { end: ends.reduce((last, end) => (end > last ? end : last)), rows };
  });
  return [...parts, { end: BigInt((await stat(path)).size), rows: 0n }];
};

export interface FileDigest {
  readonly sha256: string;
  readonly bytes: bigint;
  /** Of each part. */
  readonly partSha256: readonly string[];
}

export const sha256OfFile = async (path: string, parts: readonly FilePart[] = []): Promise<FileDigest> => {
  const whole = createHash('sha256');
  const partHashes = parts.map(() => createHash('sha256'));
  let [bytes, part] = [0n, 0];
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    whole.update(chunk);
    for (let rest = chunk; rest.length > 0 && part < parts.length; ) {
      const size = Math.min(rest.length, Number(parts[part]!.end - bytes));
      partHashes[part]!.update(rest.subarray(0, size));
      bytes += BigInt(size);
      rest = rest.subarray(size);
      if (bytes === parts[part]!.end) part += 1;
    }
  }
  return { sha256: whole.digest('hex'), bytes: BigInt((await stat(path)).size), partSha256: partHashes.map((hash) => hash.digest('hex')) };
};
