/**
 * Errors from below Prisma. They are distinguished by shape, not by class, so that a store that only checks whether a name was
 * taken need not load the client.
 */
interface DriverCause {
  readonly kind?: string;
  /** SQLSTATE. */
  readonly originalCode?: string;
  readonly originalMessage?: string;
  readonly constraint?: { readonly index?: string };
}

const causeOf = (error: unknown): DriverCause | null => {
  const meta = (error as { meta?: { driverAdapterError?: { cause?: DriverCause } } } | null)?.meta;
  return meta?.driverAdapterError?.cause ?? null;
};

/** SQLSTATE of an error that Postgres answered, else null. */
export const prismaSqlStateOf = (error: unknown): string | null => causeOf(error)?.originalCode ?? null;

/** The unique constraint or index that a row was refused by, else null. */
export const takenConstraintOf = (error: unknown): string | null =>
  prismaSqlStateOf(error) === '23505' ? (causeOf(error)?.constraint?.index ?? null) : null;

/** Codes of Prisma for a connection that cannot be had: https://www.prisma.io/docs/orm/reference/error-reference */
const awayCodes = new Set(['P1000', 'P1001', 'P1002', 'P1003', 'P1008', 'P1010', 'P1011', 'P1017', 'P2024', 'P2037']);

/** Why the database cannot be reached, in one line; null when the error is another one. */
export const prismaAwayReasonOf = (error: unknown): string | null => {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string' || !awayCodes.has(code)) return null;
  const lastLine = (error as Error).message.trim().split('\n').at(-1)!.trim();
  return causeOf(error)?.originalMessage ?? lastLine;
};
