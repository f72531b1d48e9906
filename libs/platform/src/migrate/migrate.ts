import pg from 'pg';
import { DEFINITIONS_FOLDER } from './definitions.files.js';
import { describePlan, isEmptyPlan, planDefinitions } from './definitions.js';
import { applyMigration, applyPlan, isLockTimeout, setTimeouts, type LockPatience } from './migrate.apply.js';
import { MigrationError } from './migrate.errors.js';
import { MIGRATIONS_FOLDER, readMigrations, type Migration } from './migrate.files.js';
import { watchWaiting, type LockHolder, type WaitObserver } from './migrate.waiting.js';

export { MigrationError } from './migrate.errors.js';
export { MIGRATIONS_FOLDER, readMigrations } from './migrate.files.js';
export { describeHolder, type LockHolder } from './migrate.waiting.js';

/**
 * Brings a database to the schema that this code was written for: migrations, then the current texts of functions, triggers, policies and rights.
 *
 * It keeps Prisma's own conventions (the folder layout, the advisory lock, the `_prisma_migrations` table and its
 * SHA-256 checksums), so `prisma migrate status` and this runner read the same history. Unlike Prisma's engine it needs
 * no binary, runs every migration in one transaction together with its history row, and refuses to wait for ever on a
 * table lock: a migration is there whole or not at all, whenever the process dies.
 */

/** Prisma's migration lock: whoever holds it, Prisma or we, is the only one that migrates this database. */
const PRISMA_ADVISORY_LOCK = 72707369;
const LOCK_WAIT_MS_MAX = 60_000;
/** Later statements wait behind a waiting migration, so it gives way soon and tries again. */
const TABLE_LOCK_WAIT_MS_MAX = 2_000;
const TABLE_LOCK_ATTEMPTS_MAX = 12;
const CONNECT_MS_MAX = 10_000;

export interface MigrateOptions {
  /** Other migrations than this code's; without definitions, unless their folder is named too. */
  migrationsFolder?: string;
  definitionsFolder?: string;
  /** How long to wait while another process migrates the same database. */
  lockWaitMsMax?: number;
  /** How long one statement of a migration waits for a lock that running transactions hold. */
  tableLockWaitMsMax?: number;
  /** How often it is tried, with growing pauses, before the migration fails. */
  tableLockAttemptsMax?: number;
  /** Told who is in the way, while a migration waits for a lock. */
  onWaiting?: (name: string, holders: readonly LockHolder[]) => void;
  onApplied?: (name: string, elapsedMs: number) => void;
}

export interface MigrateResult {
  /** The names that this call applied, in order; empty when the database was up to date. */
  applied: string[];
  /** Changed functions, triggers, policies and rights, applied after the migrations. */
  defined: string[];
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
      await watched(databaseUrl, client, migration.name, options, (patience, observer) => applyMigration(client, migration, patience, observer));
    }
    const defined = await define(databaseUrl, client, migrations, options);
    // Other migrations than ours are a test's, and have no queues. Loaded here: what only asks for the schema's state needs no queue.
    if (options.migrationsFolder === undefined) await (await import('../queue/queue.migrate.js')).migrateQueues(client);
    return { applied: pending.map(({ name }) => name), defined };
  } finally {
    // Ending the session releases the advisory lock, also where the transaction failed.
    await client.end();
  }
}

async function define(databaseUrl: string, client: pg.Client, migrations: readonly Migration[], options: MigrateOptions): Promise<string[]> {
  const folder = options.definitionsFolder ?? (options.migrationsFolder === undefined ? DEFINITIONS_FOLDER : null);
  if (folder === null) return [];
  const plan = await planDefinitions(client, folder, migrations.map(({ sql }) => sql));
  if (!isEmptyPlan(plan)) await watched(databaseUrl, client, 'definitions', options, (patience, observer) => applyPlan(client, plan, patience, observer));
  return describePlan(plan);
}

/** Runs a step while another connection watches whom it waits for, and reports it when it is done. */
async function watched(databaseUrl: string, client: pg.Client, name: string, options: MigrateOptions, step: (patience: LockPatience, observer: WaitObserver) => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const observer = await watchWaiting(databaseUrl, rows[0]!.pid, (holders) => options.onWaiting?.(name, holders));
  const patience = { lockMs: options.tableLockWaitMsMax ?? TABLE_LOCK_WAIT_MS_MAX, attemptsMax: options.tableLockAttemptsMax ?? TABLE_LOCK_ATTEMPTS_MAX };
  try {
    await step(patience, observer);
  } finally {
    await observer.stop();
  }
  options.onApplied?.(name, performance.now() - startedAt);
}

/** The migrations still to apply; throws if the history and the code do not belong together. */
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
    if (migration.checksum !== row.checksum && !migration.formerChecksums.includes(row.checksum)) {
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
