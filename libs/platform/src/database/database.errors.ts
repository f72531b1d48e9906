import { isNativeError } from 'node:util/types';
import pg from 'pg';

/** An error that Postgres itself answered and after which the connection lives: the statement definitely did nothing. */
export const isServerAnswer = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && error.severity !== 'FATAL' && error.severity !== 'PANIC';

/** SQLSTATE of an error that Postgres answered, else null. */
export const sqlStateOf = (error: unknown): string | null => (error instanceof pg.DatabaseError ? (error.code ?? null) : null);

/** Deadlock or serialization failure: the whole transaction may run again, a bounded number of times. */
export const isRetryable = (error: unknown): boolean => ['40001', '40P01'].includes(sqlStateOf(error) ?? '');

/** pg's errors without a code for a connection that cannot be made or stops answering. */
const awayMessages = /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|The client is closed)/;
const awayCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);

/**
 * Postgres is away, starting, stopping or out of connections: try again later. Whether a statement that was under way
 * happened is unknown.
 */
export const isDatabaseAway = (error: unknown): boolean => {
  const sqlState = sqlStateOf(error);
  if (sqlState !== null) return sqlState.startsWith('08') || sqlState.startsWith('57P') || sqlState === '53300';
  if (!isNativeError(error)) return false;
  if ('code' in error && awayCodes.has(String(error.code))) return true;
  // A name with several addresses fails with one error for each.
  if ('errors' in error && Array.isArray(error.errors) && error.errors.length > 0) return error.errors.every(isDatabaseAway);
  return awayMessages.test(error.message);
};
