// Before node-postgres: it takes libpq's variables out of the environment, also for those that load this file alone.
import '../config/config.js';
import pg from 'pg';
import { isServerAnswer } from './database.errors.js';
import { AppError } from '../errors.js';

/** The first argument of a store's function, so that code inside a transaction cannot reach the pool by accident. */
export type Db = pg.Pool | pg.PoolClient;

export interface PoolSettings {
  readonly connectionString: string;
  /** Connections at most. */
  readonly max: number;
  /** Connections that stay open while nobody uses them: with none left at the server, whoever has to connect comes too late. */
  readonly min?: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** Settings of each session, as `-c name=value`. */
  readonly sessionOptions?: string;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  /** Told of connections that break while nobody uses them; the pool replaces them by itself. */
  readonly onIdleError?: (error: Error) => void;
}

const connectTimeoutMsDefault = 5_000;
const statementTimeoutMsDefault = 10_000;
/** The server gives up first and says why; the client gives up after that only when the server no longer answers. */
const silenceMarginMs = 2_000;
const idleConnectionMsMax = 30_000;
/** A statement that got no answer stands in the way of its ROLLBACK: do not wait for both. */
const rollbackMsMax = 1_000;
/** Idle sessions and half-finished transactions must not hold locks for longer than any statement may run. */
const idleInTransactionMsMax = 30_000;

const oid = { int8: 20, int8Array: 1016, numeric: 1700 } as const;

const parseInt8Array = (text: string): unknown => {
  const values: unknown = pg.types.getTypeParser(oid.int8Array as number as typeof oid.int8)(text);
  const convert = (value: unknown): unknown => (Array.isArray(value) ? value.map(convert) : typeof value === 'string' ? BigInt(value) : value);
  return convert(values);
};

const getTypeParser = ((id: number, format?: 'text' | 'binary') => {
  if (format !== 'binary') {
    if (id === oid.int8) return BigInt;
    if (id === oid.int8Array) return parseInt8Array;
    // NUMERIC stays the text that Postgres sent: `parseMoney` reads it exactly.
    if (id === oid.numeric) return (text: string) => text;
  }
  return pg.types.getTypeParser(id, format as 'text');
}) as typeof pg.types.getTypeParser;

/** A pool in which int8 arrives as bigint and NUMERIC as text, where every wait is bounded and no broken connection crashes the process. */
export const createPool = (settings: PoolSettings): pg.Pool => {
  const statementTimeoutMs = settings.statementTimeoutMs ?? statementTimeoutMsDefault;
  const pool = new pg.Pool({
    connectionString: settings.connectionString,
    max: settings.max,
    min: settings.min ?? 0,
    application_name: settings.applicationName,
    ...(settings.sessionOptions === undefined ? {} : { options: settings.sessionOptions }),
    connectionTimeoutMillis: settings.connectTimeoutMs ?? connectTimeoutMsDefault,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + silenceMarginMs,
    idle_in_transaction_session_timeout: Math.max(idleInTransactionMsMax, statementTimeoutMs),
    idleTimeoutMillis: idleConnectionMsMax,
    keepAlive: true,
    types: { getTypeParser },
  });
  const onIdleError = settings.onIdleError ?? (() => undefined);
  pool.on('error', onIdleError);
  // The pool listens to idle connections only. One that breaks between two statements of a transaction would emit an
  // error that nobody hears, which ends the process; the next statement on it reports the failure in any case.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
};

/** Nobody knows whether a COMMIT happened that was sent and not cleanly acknowledged: execute the same batch again. */
const commitUnknown = (cause: unknown): AppError =>
  new AppError({
    code: 'commit_unknown',
    kind: 'unavailable',
    publicMessage: 'The database did not confirm the change.',
    cause,
  });

/**
 * Success is a COMMIT that was acknowledged as one and raised no warning: after an error inside the transaction Postgres
 * answers COMMIT with ROLLBACK, and a cancelled wait for a standby is but a warning.
 */
const commit = async (client: pg.PoolClient): Promise<void> => {
  const warnings: string[] = [];
  const onNotice = (notice: { severity?: string | undefined; message?: string | undefined }): void => {
    if (notice.severity === 'WARNING') warnings.push(notice.message ?? 'a warning without text');
  };
  client.on('notice', onNotice);
  try {
    const { command } = await client.query('COMMIT').catch((error: unknown) => {
      // A deferred constraint or a serialization failure is the server's definite no.
      throw isServerAnswer(error) ? error : commitUnknown(error);
    });
    if (command !== 'COMMIT') {
      throw new AppError({ code: 'commit_refused', kind: 'bug', publicMessage: 'The change was rolled back.', details: { command } });
    }
    if (warnings.length > 0) throw commitUnknown(new Error(`COMMIT raised a warning: ${warnings.join('; ')}`));
  } finally {
    client.off('notice', onNotice);
  }
};

/** False when the connection is in an unknown state: it is then closed, which rolls back too; using it again could mix two callers' answers. */
const rollBack = async (client: pg.PoolClient): Promise<boolean> =>
  client.query({ text: 'ROLLBACK', query_timeout: rollbackMsMax } as pg.QueryConfig).then(
    () => true,
    () => false,
  );

/** Runs `fn` in one transaction: committed when it resolves, rolled back when it throws. Never nest it. */
export const inTransaction = async <Result>(pool: pg.Pool, fn: (client: pg.PoolClient) => Promise<Result>): Promise<Result> => {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query('BEGIN');
    const result = await fn(client);
    await commit(client);
    return result;
  } catch (error) {
    broken = !(await rollBack(client));
    throw error;
  } finally {
    client.release(broken);
  }
};

/** A transaction that sees, by row-level security, what one organization may see. */
export const asOrganization = async <Result>(
  pool: pg.Pool,
  organizationId: string,
  fn: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> =>
  inTransaction(pool, async (client) => {
    await client.query("SELECT set_config('kilotoken.organization_id', $1, true)", [organizationId]);
    return fn(client);
  });
