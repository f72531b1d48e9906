import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MIGRATIONS_FOLDER } from '@kilotoken/platform';
import type pg from 'pg';
import { anyPartition, guardCheck, guardsSql, type Guard } from './guard-checks.js';
import type { Check } from './reconcile.js';

/** Beside the migrations, which it follows from. */
export const guardsFile = join(dirname(MIGRATIONS_FOLDER), 'guards.txt');

const parse = (line: string): Guard => {
  const [kind = '', object = '', name = '', definition = ''] = line.split('\t');
  return { kind, object, name, definition };
};

const readGuards = async (): Promise<Guard[]> => (await readFile(guardsFile, 'utf8')).split('\n').filter((line) => line !== '' && !line.startsWith('#')).map(parse);

let check: Promise<Check> | null = null;

/** The check of the committed list, which is read once: the files of a release do not change while it runs. */
export const readGuardCheck = (): Promise<Check> => (check ??= readGuards().then(guardCheck));

/**
 * The list as a migrated database has it: a line a guard, sorted. Partitions stand once, since they come and go with the months.
 */
export const listGuards = async (pool: pg.Pool): Promise<string[]> => {
  const { rows } = await pool.query<Guard & { isPartition: boolean }>(
    `SELECT g.*, g.object IN (SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.usage'::regclass AND c.relname <> 'usage_default') AS "isPartition" FROM (${guardsSql}) g`,
  );
  const lines = rows.map(({ kind, object, name, definition, isPartition }) => [kind, isPartition ? anyPartition : object, name, definition].join('\t'));
  return [...new Set(lines)].sort();
};
