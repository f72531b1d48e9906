import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

/**
 * Brings a database to the schema that this code was written for.
 *
 * It keeps Prisma's own conventions (the folder layout, the advisory lock, the `_prisma_migrations` table and its
 * SHA-256 checksums), so `prisma migrate status` and this runner read the same history. Unlike Prisma's engine it needs
 * no binary, runs every migration in one transaction together with its history row, and refuses to wait for ever on a
 * table lock: a migration is there whole or not at all, whenever the process dies.
 */

/** The migrations beside this code; the same relative path holds from `src` and from `dist`. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));

/** Prisma's migration lock: whoever holds it, Prisma or we, is the only one that migrates this database. */
const PRISMA_ADVISORY_LOCK = 72707369;
const LOCK_WAIT_MS_MAX = 60_000;
const TABLE_LOCK_WAIT_MS_MAX = 10_000;
const STATEMENT_MS_MAX = 10 * 60_000;
const CONNECT_MS_MAX = 10_000;

export interface MigrateOptions {
  migrationsFolder?: string;
  /** How long to wait while another process migrates the same database. */
  lockWaitMsMax?: number;
  /** How long one statement of a migration waits for a lock that running transactions hold. */
  tableLockWaitMsMax?: number;
  onApplied?: (name: string, elapsedMs: number) => void;
}

export interface MigrateResult {
  /** The names that this call applied, in order; empty when the database was up to date. */
  applied: string[];
}

export type MigrationErrorCode =
  | 'migration_changed'
  | 'migration_failed'
  | 'migration_lock_timeout'
  | 'migration_unfinished'
  | 'database_newer';

/** The message is written for the operator: it says what is wrong and what to do. */
export class MigrationError extends Error {
  constructor(
    readonly code: MigrationErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'MigrationError';
  }
}

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

interface AppliedMigration {
  name: string;
  checksum: string;
  finished: boolean;
}

/** Applies what is missing, in order of name. Safe to run again and from several processes at once. */
export async function migrateDatabase(databaseUrl: string, options: MigrateOptions = {}): Promise<MigrateResult> {
  const migrations = await readMigrations(options.migrationsFolder ?? MIGRATIONS_FOLDER);
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    application_name: 'kilotoken-migrate',
  });
  // A lost connection also rejects the running query; without a listener it would end the process besides.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await takeMigrationLock(client, options.lockWaitMsMax ?? LOCK_WAIT_MS_MAX);
    await createHistoryTable(client);
    const pending = selectPending(migrations, await readHistory(client));
    for (const migration of pending) {
      const startedAt = performance.now();
      await applyMigration(client, migration, options.tableLockWaitMsMax ?? TABLE_LOCK_WAIT_MS_MAX);
      options.onApplied?.(migration.name, performance.now() - startedAt);
    }
    // Other migrations than ours are a test's, and have no queues. Loaded here: what only asks for the schema's state needs no queue.
    if (options.migrationsFolder === undefined) await (await import('./queue.migrate.js')).migrateQueues(client);
    return { applied: pending.map(({ name }) => name) };
  } finally {
    // Ending the session releases the advisory lock, also where the transaction failed.
    await client.end();
  }
}

export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && /^\d{14}_\w+$/.test(entry.name)).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/** What is still to apply; throws when the history and the code do not belong together. */
function selectPending(migrations: Migration[], history: AppliedMigration[]): Migration[] {
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of history) {
    const migration = byName.get(row.name);
    if (!row.finished) {
      throw new MigrationError(
        'migration_unfinished',
        `Migration ${row.name} was begun by another tool and did not finish. Look at the database, then mark the row of ` +
          `_prisma_migrations as rolled back (prisma migrate resolve --rolled-back ${row.name}) and start again.`,
      );
    }
    if (!migration) {
      throw new MigrationError(
        'database_newer',
        `The database has migration ${row.name}, which this version of Kilotoken does not know. It was migrated by a ` +
          'newer version: run that version (or newer), or restore a backup taken before the upgrade. Nothing was changed.',
      );
    }
    if (migration.checksum !== row.checksum) {
      throw new MigrationError(
        'migration_changed',
        `Migration ${row.name} was applied to this database with other contents than its file has now. An applied ` +
          'migration is never edited: restore the file (git checkout) and put the change in a new migration. Nothing was changed.',
      );
    }
  }
  const applied = new Set(history.map(({ name }) => name));
  return migrations.filter(({ name }) => !applied.has(name));
}

async function takeMigrationLock(client: pg.Client, waitMsMax: number): Promise<void> {
  await setTimeouts(client, { lockMs: waitMsMax, statementMs: 0 });
  try {
    await client.query('SELECT pg_advisory_lock($1)', [PRISMA_ADVISORY_LOCK]);
  } catch (error) {
    if (!isLockTimeout(error)) throw error;
    throw new MigrationError(
      'migration_lock_timeout',
      `Another process has been migrating this database for more than ${Math.round(waitMsMax / 1000)} s. ` +
        'Wait until it is done, or end its session, and start again.',
      error,
    );
  }
}

/** The table exactly as Prisma's schema engine creates it. */
async function createHistoryTable(client: pg.Client): Promise<void> {
  await client.query(`
    CREATE TABLE IF NOT EXISTS _prisma_migrations (
      id                  VARCHAR(36) PRIMARY KEY NOT NULL,
      checksum            VARCHAR(64) NOT NULL,
      finished_at         TIMESTAMPTZ,
      migration_name      VARCHAR(255) NOT NULL,
      logs                TEXT,
      rolled_back_at      TIMESTAMPTZ,
      started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
      applied_steps_count INTEGER NOT NULL DEFAULT 0
    )`);
}

async function readHistory(client: pg.Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<AppliedMigration>(`
    SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
    FROM _prisma_migrations
    WHERE rolled_back_at IS NULL
    ORDER BY started_at, migration_name`);
  return rows;
}

async function applyMigration(client: pg.Client, migration: Migration, tableLockWaitMsMax: number): Promise<void> {
  await setTimeouts(client, { lockMs: tableLockWaitMsMax, statementMs: STATEMENT_MS_MAX });
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
       VALUES ($1, $2, clock_timestamp(), $3, now(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('COMMIT');
  } catch (error) {
    // The reason of the failure is worth more than a ROLLBACK that fails because the connection is gone.
    await client.query('ROLLBACK').catch(() => undefined);
    throw new MigrationError('migration_failed', describeFailure(migration, error), error);
  }
}

function describeFailure({ name, sql }: Migration, error: unknown): string {
  const unchanged = 'Its transaction was rolled back: the database is as it was before.';
  if (isLockTimeout(error)) {
    return `Migration ${name} could not get a table lock because running transactions hold it. ${unchanged} Start again when the load is lower.`;
  }
  if (!(error instanceof pg.DatabaseError)) return `Migration ${name} failed: ${String(error)}. ${unchanged}`;
  const line = error.position ? ` at line ${sql.slice(0, Number(error.position)).split('\n').length}` : '';
  const detail = error.detail ? ` (${error.detail})` : '';
  return `Migration ${name} failed${line}: ${error.message}${detail} [${error.code ?? 'unknown'}]. ${unchanged}`;
}

async function setTimeouts(client: pg.Client, timeouts: { lockMs: number; statementMs: number }): Promise<void> {
  await client.query(
    "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false), set_config('client_min_messages', 'warning', false)",
    [`${timeouts.lockMs}ms`, `${timeouts.statementMs}ms`],
  );
}

/** 55P03 lock_not_available: https://www.postgresql.org/docs/18/errcodes-appendix.html */
function isLockTimeout(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '55P03';
}
