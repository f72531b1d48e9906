import { isDatabaseAway, prismaAwayReasonOf, sqlStateOf } from '@kilotoken/platform';

/** Why a command cannot reach its database, in words that another sentence can end with; null when the error is another one. */
export const databaseAwayReasonOf = (error: unknown): string | null => {
  const reason = prismaAwayReasonOf(error);
  if (reason !== null) return reason.replace(/\.$/, '');
  const sqlState = sqlStateOf(error);
  // 28…: the login was refused. 3D000: there is no such database.
  const refused = sqlState?.startsWith('28') || sqlState === '3D000';
  return refused || isDatabaseAway(error) ? describe(error) : null;
};

/** A name with several addresses fails with an error that has no message of its own. */
const describe = (error: unknown): string => (error as Error).message || String((error as { code?: unknown }).code ?? error);
