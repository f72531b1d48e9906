import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { MigrationError } from './migrate.errors.js';
import type { Migration } from './migrate.files.js';
import { describeHolder, type LockHolder, type WaitObserver } from './migrate.waiting.js';

/**
 * Runs one migration. A statement that waits for a table lock makes everybody wait who comes after it for that table, so it
 * waits for a short time only, gives way, and is tried again, a bounded number of times.
 */
export interface LockPatience {
  readonly lockMs: number;
  readonly attemptsMax: number;
}

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;

export async function applyMigration(client: pg.Client, migration: Migration, { lockMs, attemptsMax }: LockPatience, observer: WaitObserver): Promise<void> {
  await setTimeouts(client, { lockMs, statementMs: migration.statementMsMax });
  for (let attempt = 1, waitMs = RETRY_MS_MIN; ; attempt += 1, waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
    try {
      return await (migration.statements ? runStatements(client, migration, migration.statements) : runInTransaction(client, migration));
    } catch (error) {
      if (!isLockTimeout(error) || attempt >= attemptsMax) throw new MigrationError('migration_failed', describeFailure(migration, error, observer.lastHolders()), error);
      await wait(waitMs);
    }
  }
}

async function runInTransaction(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await recordApplied(client, migration, 1);
    await client.query('COMMIT');
  } catch (error) {
    // The reason of the failure is worth more than a ROLLBACK that fails because the connection is gone.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function runStatements(client: pg.Client, migration: Migration, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
  await recordApplied(client, migration, statements.length);
}

async function recordApplied(client: pg.Client, { checksum, name }: Migration, steps: number): Promise<void> {
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
     VALUES ($1, $2, clock_timestamp(), $3, now(), $4)`,
    [randomUUID(), checksum, name, steps],
  );
}

function describeFailure({ name, sql, statements }: Migration, error: unknown, holders: readonly LockHolder[]): string {
  const unchanged = statements ? 'What it did before stays, and is done again by the next start.' : 'Its transaction was rolled back: the database is as it was before.';
  if (isLockTimeout(error)) {
    const inTheWay = holders.length === 0 ? 'running transactions hold it' : `these hold it: ${holders.map(describeHolder).join('; ')}`;
    return `Migration ${name} could not get a table lock because ${inTheWay}. ${unchanged} End them or let them end, and start again.`;
  }
  if (!(error instanceof pg.DatabaseError)) return `Migration ${name} failed: ${String(error)}. ${unchanged}`;
  const line = error.position && !statements ? ` at line ${sql.slice(0, Number(error.position)).split('\n').length}` : '';
  const detail = error.detail ? ` (${error.detail})` : '';
  return `Migration ${name} failed${line}: ${error.message}${detail} [${error.code ?? 'unknown'}]. ${unchanged}`;
}

export async function setTimeouts(client: pg.Client, timeouts: { lockMs: number; statementMs: number }): Promise<void> {
  await client.query(
    "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false), set_config('client_min_messages', 'warning', false)",
    [`${timeouts.lockMs}ms`, `${timeouts.statementMs}ms`],
  );
}

/** 55P03 lock_not_available: https://www.postgresql.org/docs/18/errcodes-appendix.html */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '55P03';
}
