import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The files of migrations. Lines at a file's head say how it is run:
 *
 *   -- Statement timeout: 30 min            one statement may take so long (s or min); ten minutes unless said
 *   -- Not in a transaction: …why…          for CREATE INDEX CONCURRENTLY and the like
 *
 * A migration outside a transaction may be interrupted anywhere and is then run from its start: each of its statements can be
 * executed again, ends a line with its semicolon, and holds no function bodies.
 */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /** Of texts that landed under this name before, which later migrations bring to the same schema; see `former.sha256` there. */
  readonly formerChecksums: readonly string[];
  readonly statementMsMax: number;
  /** One after the other, each a transaction of its own; null: all of it is one transaction. */
  readonly statements: readonly string[] | null;
}

/** The migrations beside this code; the same relative path holds from `src` and from `dist`. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../../prisma/migrations', import.meta.url));

const STATEMENT_MS_MAX = 10 * 60_000;
const timeoutLine = /^-- Statement timeout: (\d{1,5}) (s|min)$/m;
const transactionLine = /^-- Not in a transaction: \S/m;

export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && /^\d{14}_\w+$/.test(entry.name)).map((entry) => entry.name);
  return Promise.all(names.sort().map((name) => readMigration(name, join(folder, name))));
}

async function readMigration(name: string, folder: string): Promise<Migration> {
  const former = await readFile(join(folder, 'former.sha256'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return parseMigration(name, await readFile(join(folder, 'migration.sql'), 'utf8'), former.match(/^[0-9a-f]{64}$/gm) ?? []);
}

function parseMigration(name: string, sql: string, formerChecksums: readonly string[]): Migration {
  const head = /^(--.*(\n|$))*/.exec(sql)![0];
  const timeout = timeoutLine.exec(head);
  return {
    name,
    sql,
    checksum: createHash('sha256').update(sql).digest('hex'),
    formerChecksums,
    statementMsMax: timeout ? Number(timeout[1]) * (timeout[2] === 's' ? 1_000 : 60_000) : STATEMENT_MS_MAX,
    statements: transactionLine.test(head) ? splitStatements(name, sql) : null,
  };
}

function splitStatements(name: string, sql: string): string[] {
  const code = sql.replace(/^\s*--.*$/gm, '');
  if (code.includes('$$')) throw new Error(`${name} runs outside a transaction and holds a function body: put that in a migration of its own`);
  return code
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
