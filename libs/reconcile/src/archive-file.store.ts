import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead, type SchemaElement } from 'hyparquet';

/**
 * Reads exported files of usage by code of its own: the code that wrote them is what is proven. Memory is bounded by one row group.
 */
export type Reach = 'there' | 'missing' | { readonly unreached: string };

/** Whether a file can be read. A file that is gone from a folder that is there was deleted; a folder that is not here is another machine's. */
export const reachFile = async (path: string): Promise<Reach> => {
  try {
    return (await stat(path)).isFile() ? 'there' : 'missing';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') return { unreached: `cannot be opened (${code})` };
  }
  const isFolderHere = await stat(dirname(path)).then((folder) => folder.isDirectory(), () => false);
  return isFolderHere ? 'missing' : { unreached: 'its folder cannot be reached from here' };
};

export interface FileHash {
  readonly sha256: string;
  readonly bytes: bigint;
  /** Of each part, as far as the file goes. */
  readonly parts: readonly string[];
}

/** Hashes a file, and each of the parts that end at these bytes. */
export const hashFile = async (path: string, partEnds: readonly bigint[], signal?: AbortSignal): Promise<FileHash> => {
  const whole = createHash('sha256');
  const parts: string[] = [];
  let part: Hash = createHash('sha256');
  let bytes = 0n;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    whole.update(chunk);
    let rest = chunk;
    while (parts.length < partEnds.length) {
      const left = partEnds[parts.length]! - bytes;
      if (left > BigInt(rest.length)) break;
      parts.push(part.update(rest.subarray(0, Number(left))).digest('hex'));
      part = createHash('sha256');
      bytes += left;
      rest = rest.subarray(Number(left));
    }
    part.update(rest);
    bytes += BigInt(rest.length);
  }
  return { sha256: whole.digest('hex'), bytes, parts };
};

type Cell = string | null;

export interface RowGroup {
  readonly columns: readonly string[];
  /** From 0. */
  readonly firstRow: number;
  /** Values as Postgres writes them; times in microseconds since 1970. */
  readonly rows: readonly (readonly Cell[])[];
}

/** 16 bytes of two's complement, the most significant first: a count of 10⁻¹². */
const decimalText = (value: unknown): string => {
  const count = BigInt.asIntN(128, BigInt(`0x${Buffer.from(value as Uint8Array).toString('hex')}`));
  const digits = String(count < 0n ? -count : count).padStart(13, '0');
  return `${count < 0n ? '-' : ''}${digits.slice(0, -12)}.${digits.slice(-12)}`;
};

const readerOf = ({ converted_type: converted }: SchemaElement) => (value: unknown): Cell => (value == null ? null : converted === 'DECIMAL' ? decimalText(value) : String(value));

/** The row groups of a file, by its own schema: columns that came later are not in it. `only`: one of them. Throws where it cannot be decoded. */
export async function* readRowGroups(path: string, only?: number): AsyncGenerator<RowGroup> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const elements = metadata.schema.slice(1);
  const readers = elements.map(readerOf);
  // The reader would make binary fractions of decimals: without their type they stay bytes.
  metadata.schema = metadata.schema.map((element) => (element.converted_type === 'DECIMAL' ? { ...element, converted_type: undefined, logical_type: undefined } : element));
  let firstRow = 0;
  for (const [index, group] of metadata.row_groups.entries()) {
    const rowEnd = firstRow + Number(group.num_rows);
    if (only === undefined || only === index) {
      let rows: Cell[][] = [];
      await parquetRead({
        file, metadata, rowStart: firstRow, rowEnd,
        parsers: { timestampFromMicroseconds: (micros: bigint) => micros as never },
        onComplete: (read: unknown[][]) => (rows = read.map((row) => readers.map((text, column) => text(row[column])))),
      });
      yield { columns: elements.map(({ name }) => name), firstRow, rows };
    }
    firstRow = rowEnd;
  }
}

/** The digest of rows that an export records: a line of JSON a row. */
export class RowsHash {
  private readonly hash = createHash('sha256');
  rows = 0;

  add(rows: RowGroup['rows']): void {
    for (const row of rows) this.hash.update(`${JSON.stringify(row)}\n`);
    this.rows += rows.length;
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}
