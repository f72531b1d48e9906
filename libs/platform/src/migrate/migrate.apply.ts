import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { applyDefinitions, type DefinitionPlan } from './definitions.js';
import { MigrationError } from './migrate.errors.js';
import type { Migration } from './migrate.files.js';
import { describeHolder, type LockHolder, type WaitObserver } from './migrate.waiting.js';

/**
 * Runs one migration, or all changed definitions. A statement that waits for a table lock makes everybody wait who comes after it for that table, so it
 * waits for a short time only, gives way, and is tried again, a bounded number of times.
 */
export interface LockPatience {
  readonly lockMs: number;
  readonly attemptsMax: number;
}

const STATEMENT_MS_MAX = 60_000;
const UNCHANGED = 'Its transaction was rolled back: the database is as it was before.';
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;

export async function applyMigration(client: pg.Client, migration: Migration, patience: LockPatience, observer: WaitObserver): Promise<void> {
  await setTimeouts(client, { lockMs: patience.lockMs, statementMs: migration.statementMsMax });
  await tryPatiently(
    patience,
    () => (migration.statements ? runStatements(client, migration, migration.statements) : runInTransaction(client, () => runMigration(client, migration))),
    (error) => new MigrationError('migration_failed', describeFailure(migration, error, observer.lastHolders()), error),
  );
}

/** One transaction that makes functions, triggers, policies and rights those of the files. Where it is chosen as the victim of a deadlock it is tried again too. */
export async function applyPlan(client: pg.Client, plan: DefinitionPlan, patience: LockPatience, observer: WaitObserver): Promise<void> {
  await setTimeouts(client, { lockMs: patience.lockMs, statementMs: STATEMENT_MS_MAX });
  await tryPatiently(
    patience,
    () => runInTransaction(client, () => applyDefinitions(client, plan)),
    (error) => (error instanceof MigrationError ? error : new MigrationError('migration_failed', describeError('Definitions', UNCHANGED, error, observer.lastHolders()), error)),
  );
}

async function tryPatiently({ attemptsMax }: LockPatience, run: () => Promise<void>, explain: (error: unknown) => MigrationError): Promise<void> {
  for (let attempt = 1, waitMs = RETRY_MS_MIN; ; attempt += 1, waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
    try {
      return await run();
    } catch (error) {
      if (!(isLockTimeout(error) || isDeadlock(error)) || attempt >= attemptsMax) throw explain(error);
      await wait(waitMs);
    }
  }
}

async function runMigration(client: pg.Client, migration: Migration): Promise<void> {
  await client.query(migration.sql);
  await recordApplied(client, migration, 1);
}

async function runInTransaction(client: pg.Client, run: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await run();
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
  const unchanged = statements ? 'What it did before stays, and is done again by the next start.' : UNCHANGED;
  const line = error instanceof pg.DatabaseError && error.position && !statements ? ` at line ${sql.slice(0, Number(error.position)).split('\n').length}` : '';
  return describeError(`Migration ${name}`, unchanged, error, holders, line);
}

function describeError(subject: string, unchanged: string, error: unknown, holders: readonly LockHolder[], line = ''): string {
  if (isLockTimeout(error)) {
    const inTheWay = holders.length === 0 ? 'running transactions hold it' : `these hold it: ${holders.map(describeHolder).join('; ')}`;
    return `${subject} could not get a table lock because ${inTheWay}. ${unchanged} End them or let them end, and start again.`;
  }
  if (!(error instanceof pg.DatabaseError)) return `${subject} failed: ${String(error)}. ${unchanged}`;
  const detail = error.detail ? ` (${error.detail})` : '';
  return `${subject} failed${line}: ${error.message}${detail} [${error.code ?? 'unknown'}]. ${unchanged}`;
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

/** 40P01 deadlock_detected */
function isDeadlock(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '40P01';
}
