import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The files of definitions: the one current text of every role's rights, every function, trigger and row-security policy.
 *
 *   roles/<role>.sql                  the rights of one role on tables
 *   functions/<domain>/<name>.sql     one function, and the triggers that call it
 *   policies/<domain>.sql             the policies of the tables of a domain
 */
export interface Definition {
  /** Below the folder, with slashes: `functions/funding/settle.sql`. */
  readonly path: string;
  /** Of the role or the function. */
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** A trigger or a policy. Its statement is written as Postgres writes it, so that the two can be compared. */
export interface TableRule {
  readonly kind: 'TRIGGER' | 'POLICY';
  readonly name: string;
  readonly table: string;
  readonly statement: string;
}

export interface Definitions {
  readonly roles: readonly Definition[];
  readonly functions: readonly Definition[];
  readonly rules: readonly TableRule[];
}

export const DEFINITIONS_FOLDER = fileURLToPath(new URL('../../../../prisma', import.meta.url));

const ruleStatement = /^CREATE (?:CONSTRAINT )?(TRIGGER|POLICY) (\w+)\s[^;]*?\bON (\w+)[^;]*;$/gm;

export async function readDefinitions(folder: string): Promise<Definitions> {
  const [roles, functions, policies] = await Promise.all(['roles', 'functions', 'policies'].map((part) => readFolder(folder, part)));
  return {
    roles: roles!,
    functions: functions!.map((file) => ({ ...file, sql: file.sql.slice(0, endOfBody(file.sql)) })),
    rules: [...functions!.map(({ sql }) => sql.slice(endOfBody(sql))), ...policies!.map(({ sql }) => sql)].flatMap(readRules),
  };
}

async function readFolder(folder: string, part: string): Promise<Definition[]> {
  const entries = await readdir(join(folder, part), { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.sql')).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.sort().map((file) => readDefinition(folder, file)));
}

async function readDefinition(folder: string, file: string): Promise<Definition> {
  const sql = await readFile(file, 'utf8');
  return { path: relative(folder, file).replaceAll('\\', '/'), name: basename(file, '.sql'), sql, checksum: createHash('sha256').update(sql).digest('hex') };
}

/** Triggers stand behind the function; they are compared, not executed with it. */
function endOfBody(sql: string): number {
  const trigger = /^CREATE (CONSTRAINT )?TRIGGER /m.exec(sql.slice(sql.lastIndexOf('$$')));
  return trigger ? sql.lastIndexOf('$$') + trigger.index : sql.length;
}

function readRules(sql: string): TableRule[] {
  return [...sql.matchAll(ruleStatement)].map(([statement, kind, name, table]) => ({
    kind: kind as TableRule['kind'],
    name: name!,
    table: table!,
    statement: statement.replace(/\s+/g, ' '),
  }));
}
