import { isDatabaseAway, prismaAwayReasonOf, sqlStateOf } from '@kilotoken/platform';

/** The reason why a command cannot reach its database, to end another sentence with; null for any other error. */
export const databaseAwayReasonOf = (error: unknown): string | null => {
  const reason = prismaAwayReasonOf(error);
  if (reason !== null) return reason.replace(/\.$/, '');
  const sqlState = sqlStateOf(error);
  // 28…: the login was refused. 3D000: there is no such database.
  const refused = sqlState?.startsWith('28') || sqlState === '3D000';
  return refused || isDatabaseAway(error) ? describe(error) : null;
};

/** The error for a host with several addresses has no message. */
const describe = (error: unknown): string => (error as Error).message || String((error as { code?: unknown }).code ?? error);
