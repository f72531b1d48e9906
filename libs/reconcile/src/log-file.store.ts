import { createReadStream } from 'node:fs';
import { AppError } from '@kilotoken/platform';
import type pg from 'pg';
import type { z } from 'zod';
import { clientLogEntry, clientRow, isOurs, vendorLogEntry, vendorRow } from './log-entry.js';

/** Reads logs as streams into temporary tables of one connection, where SQL compares them: their size is a disk's matter. */
export interface LogFiles {
  readonly client: readonly string[];
  readonly vendor: readonly string[];
}

const lineBytesMax = 64 * 1024;
const rowsPerInsert = 1_000;

const unreadable = (file: string, line: number | null, reason: string): AppError =>
  new AppError({ code: 'reconcile_log', kind: 'invalid', publicMessage: `${file}${line === null ? '' : `, line ${line}`}: ${reason}` });

/** The lines of a file, numbered from 1, without empty ones. Throws an AppError `reconcile_log`. */
async function* linesOf(file: string): AsyncGenerator<{ line: number; text: string }> {
  let [line, rest] = [0, Buffer.alloc(0)];
  const stream = createReadStream(file, { highWaterMark: lineBytesMax });
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      let bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
      for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
        line += 1;
        if (end > 0) yield { line, text: readText(file, line, bytes.subarray(0, end)) };
        bytes = bytes.subarray(end + 1);
      }
      // Checked here, so that a file without any line end is not gathered first.
      if (bytes.length > lineBytesMax) throw unreadable(file, line + 1, `a line is longer than ${lineBytesMax} bytes`);
      rest = Buffer.from(bytes);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw unreadable(file, null, `cannot be read: ${(error as Error).message}`);
  }
  if (rest.length > 0) yield { line: line + 1, text: readText(file, line + 1, rest) };
}

const decoder = new TextDecoder('utf-8', { fatal: true });

const readText = (file: string, line: number, bytes: Buffer): string => {
  if (bytes.length > lineBytesMax) throw unreadable(file, line, `a line is longer than ${lineBytesMax} bytes`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw unreadable(file, line, 'is not UTF-8');
  }
};

const parseLine = <Entry>(file: string, line: number, text: string, schema: z.ZodType<Entry>): Entry => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable(file, line, 'is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unreadable(file, line, parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the line'}: ${message}`).join('; '));
};

interface LogTable<Entry> {
  readonly table: string;
  readonly columns: string;
  readonly schema: z.ZodType<Entry>;
  readonly row: (line: number, entry: Entry) => object;
  readonly isOurs: (entry: Entry) => boolean;
}

const clientTable: LogTable<z.infer<typeof clientLogEntry>> = {
  table: 'client_log',
  columns: 'line bigint, request_id uuid, status int, completed boolean, aborted boolean, error_code text, prompt_tokens numeric, completion_tokens numeric, cost numeric, cost_number float8, charges jsonb, charge numeric',
  schema: clientLogEntry,
  row: clientRow,
  isOurs: () => true,
};
const vendorTable: LogTable<z.infer<typeof vendorLogEntry>> = {
  table: 'vendor_log',
  columns: 'line bigint, id text, request_id uuid, status int, complete boolean, prompt_tokens numeric, tokens numeric, told_prompt numeric, told_completion numeric',
  schema: vendorLogEntry,
  row: vendorRow,
  isOurs,
};

const load = async <Entry>(db: pg.PoolClient, files: readonly string[], { table, columns, schema, row, isOurs: isToCompare }: LogTable<Entry>): Promise<number> => {
  await db.query(`DROP TABLE IF EXISTS pg_temp.${table}; CREATE TEMPORARY TABLE ${table} (file text, ${columns})`);
  let entries = 0;
  for (const file of files) {
    let rows: object[] = [];
    const store = async (): Promise<void> => {
      await db.query(`INSERT INTO pg_temp.${table} SELECT $1, r.* FROM json_to_recordset($2) AS r (${columns})`, [file, JSON.stringify(rows)]);
      entries += rows.length;
      rows = [];
    };
    for await (const { line, text } of linesOf(file)) {
      const entry = parseLine(file, line, text, schema);
      if (isToCompare(entry)) rows.push(row(line, entry));
      if (rows.length >= rowsPerInsert) await store();
    }
    if (rows.length > 0) await store();
  }
  await db.query(`ANALYZE pg_temp.${table}`);
  return entries;
};

export interface LoadedLogs {
  /** Null where no such log was given. */
  readonly clientEntries: number | null;
  readonly vendorEntries: number | null;
  /** Database time before the first line was read: what settled later may not stand in the logs. */
  readonly readFrom: Date;
}

/** Loads the logs into `pg_temp.client_log` and `pg_temp.vendor_log`. Before the snapshot is taken: what a log says was committed before. */
export const loadLogs = async (db: pg.PoolClient, { client, vendor }: LogFiles): Promise<LoadedLogs> => {
  const { rows } = await db.query<{ now: Date }>('SELECT now() + (SELECT clock_shift FROM database_mark) AS now');
  const clientEntries = client.length > 0 ? await load(db, client, clientTable) : null;
  const vendorEntries = vendor.length > 0 ? await load(db, vendor, vendorTable) : null;
  return { clientEntries, vendorEntries, readFrom: rows[0]!.now };
};
