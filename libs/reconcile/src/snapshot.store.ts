import { AppError, isServerAnswer, MIGRATIONS_FOLDER, readMigrations, sqlStateOf } from '@kilotoken/platform';
import type pg from 'pg';
import type { Check, CheckResult, Finding } from './reconcile.js';
import { ratedFromOf, scopeParameters, scopeSql, type Moment, type Scope, type ScopeSql } from './scope.js';

/** One read-only snapshot of a live database: whatever gateways and raters do meanwhile, all checks see the same moment. */
export interface Snapshot extends Moment {
  readonly db: pg.PoolClient;
}

/** Sorts and hashes beyond this go to files of the server, so its memory does not grow with the tables. */
const workMemoryMegabytes = 64;

/** Begins the snapshot and makes sure that it can be judged. Throws an AppError otherwise. */
export const takeSnapshot = async (db: pg.PoolClient, logsReadFrom: Date | null): Promise<Snapshot> => {
  await db.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  return readSnapshot(db, logsReadFrom);
};

/** The snapshot of a transaction that is under way. */
export const readSnapshot = async (db: pg.PoolClient, logsReadFrom: Date | null): Promise<Snapshot> => {
  // A job that is stopped closes its connection; the server is to notice before the statement ends.
  await db.query(`SET LOCAL work_mem = '${workMemoryMegabytes}MB'; SET LOCAL client_connection_check_interval = '1s'; SET LOCAL jit = off`);
  await assertJudgeable(db);
  const { rows } = await db.query<{ now: Date; goneUntilId: string | null }>(`
    SELECT now() + (SELECT clock_shift FROM database_mark) AS now,
      (SELECT until_id FROM usage_archive WHERE detached_at IS NOT NULL ORDER BY until_id DESC LIMIT 1) AS "goneUntilId"`);
  const { now, goneUntilId } = rows[0]!;
  return { db, takenAt: now, ratedFrom: ratedFromOf(goneUntilId), logsReadFrom };
};

/** Throws an AppError where the database is of another version, or where the login does not see all of it. */
export const assertJudgeable = async (db: pg.PoolClient): Promise<void> => {
  await assertSchema(db);
  await assertSeesAll(db);
};

/** The files of a release do not change while it runs. */
let migrations: ReturnType<typeof readMigrations> | null = null;

/** A database of another version has other rules: what would be found would be the version. */
const assertSchema = async (db: pg.PoolClient): Promise<void> => {
  migrations ??= readMigrations(MIGRATIONS_FOLDER);
  const known = new Map((await migrations).map(({ name, checksum }) => [name, checksum]));
  const applied = await readApplied(db);
  const wrong = [
    ...[...known.keys()].filter((name) => !applied.has(name)).map((name) => `${name} is missing`),
    ...[...applied].filter(([name, checksum]) => known.get(name) !== checksum).map(([name]) => (known.has(name) ? `${name} was applied with other contents` : `${name} is of a newer version`)),
  ];
  if (wrong.length === 0) return;
  throw new AppError({
    code: 'reconcile_version',
    kind: 'unavailable',
    publicMessage: `The database is not of this version: ${wrong.join(', ')}. Run reconcile of the version that uses it, or start this version first, which migrates it.`,
  });
};

const readApplied = async (db: pg.PoolClient): Promise<Map<string, string>> => {
  try {
    const { rows } = await db.query<{ name: string; checksum: string }>(
      'SELECT migration_name AS name, checksum FROM _prisma_migrations WHERE rolled_back_at IS NULL AND finished_at IS NOT NULL',
    );
    return new Map(rows.map(({ name, checksum }) => [name, checksum]));
  } catch (error) {
    // 42P01: there is no such table. 42501: this login may not read it, and so is none that may audit.
    if (sqlStateOf(error) === '42P01') throw new AppError({ code: 'reconcile_version', kind: 'unavailable', publicMessage: 'This is not a database of Kilotoken: it has no history of migrations.' });
    if (sqlStateOf(error) === '42501') throw blind();
    throw error;
  }
};

const blind = (): AppError =>
  new AppError({
    code: 'reconcile_role',
    kind: 'unavailable',
    publicMessage: "This login does not see every organization, so it would find nothing. Use the owner's login, or a member of kilotoken_auditor.",
  });

/** Row-level security hides rows without a word: a login that it binds would find that all is well. */
const assertSeesAll = async (db: pg.PoolClient): Promise<void> => {
  const { rows } = await db.query<{ sees: boolean }>(
    "SELECT NOT row_security_active('usage') OR pg_has_role(current_user, 'kilotoken_auditor', 'USAGE') AS sees",
  );
  if (!rows[0]!.sees) throw blind();
};

/** Counts what was judged in the same pass that finds what is wrong; only the first findings are carried further. */
const judged = (check: Check, scope: ScopeSql, findingsMax: number): string => `
  WITH ${scopeParameters}, judged AS (${check.sql(scope)}),
  numbered AS (SELECT *, count(*) FILTER (WHERE is_wrong) OVER (ROWS UNBOUNDED PRECEDING) AS number FROM judged)
  SELECT count(*)::float8 AS checked, count(*) FILTER (WHERE is_wrong)::float8 AS found,
    coalesce(json_agg(json_build_object('organizationId', organization_id, 'place', place, 'expected', expected, 'found', found))
      FILTER (WHERE is_wrong AND number <= ${findingsMax}), '[]') AS findings
  FROM numbered`;

export interface CheckOptions {
  readonly scope: Scope;
  readonly findingsMax: number;
}

/** Runs one check. What it finds within a day of the period it looks for once more without that bound: see `scopeSql`. */
export const runCheck = async (snapshot: Snapshot, check: Check, { scope, findingsMax }: CheckOptions): Promise<CheckResult> => {
  const startedMs = performance.now();
  const judge = async (isWidened: boolean) => {
    const sql = scopeSql(scope, snapshot, isWidened);
    const { rows } = await snapshot.db.query<{ checked: number; found: number; findings: Finding[] }>(judged(check, sql, findingsMax), [...sql.values]);
    return rows[0]!;
  };
  const near = await judge(false);
  const result = near.found > 0 && (scope.from !== null || scope.to !== null) ? await judge(true) : near;
  const { name, invariant, says, subjects, advice, expected, found } = check;
  return { name, invariant, says, subjects, advice, expectedIs: expected, foundIs: found, ...result, elapsedMs: performance.now() - startedMs };
};

/** Ends the snapshot; nothing was written. False when the connection is in an unknown state and must be closed. */
export const endSnapshot = async (db: pg.PoolClient): Promise<boolean> =>
  db.query('ROLLBACK').then(
    () => true,
    (error: unknown) => isServerAnswer(error),
  );
