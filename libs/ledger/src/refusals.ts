import { AppError, prismaSqlStateOf, sqlStateOf } from '@kilotoken/platform';
import type { z } from 'zod';

export type Refusal = Pick<ConstructorParameters<typeof AppError>[0], 'code' | 'kind' | 'publicMessage'>;

/** SQLSTATEs of the functions that change grants and post: prisma/functions/ledger. */
const refusals: Readonly<Record<string, Refusal>> = {
  '23503': { code: 'organization_not_found', kind: 'not_found', publicMessage: 'There is no such organization.' },
  KT010: { code: 'ledger_unbalanced', kind: 'invalid', publicMessage: 'A transaction must have postings, and they must sum to zero in each unit.' },
  KT011: { code: 'grant_reference_used', kind: 'conflict', publicMessage: 'The reference belongs to another change, or the grant is being refunded under another reference.' },
  KT021: { code: 'grant_not_found', kind: 'not_found', publicMessage: 'The organization has no such grant.' },
  KT022: { code: 'grant_below_floor', kind: 'conflict', publicMessage: 'The grant has less than that available. Gateways return leased amounts when they are idle.' },
  KT023: { code: 'grant_closed', kind: 'conflict', publicMessage: 'The grant has expired or is being refunded.' },
  KT025: { code: 'account_not_allowed', kind: 'invalid', publicMessage: 'The chart of accounts does not allow that account here. docs/ledger.md has the chart.' },
  KT026: { code: 'organizations_not_related', kind: 'conflict', publicMessage: 'Grants can be transferred only between organizations of one account tree.' },
};

/**
 * Runs a change, and throws the refusal that Postgres answered as an `AppError`: by `own`, or by the table above. The caller's transaction has
 * failed then and ends.
 */
export const explained = async <Result>(change: () => Promise<Result>, own: Readonly<Record<string, Refusal>> = {}): Promise<Result> => {
  try {
    return await change();
  } catch (error) {
    const sqlState = sqlStateOf(error) ?? prismaSqlStateOf(error) ?? '';
    const refusal = own[sqlState] ?? refusals[sqlState];
    throw refusal ? new AppError({ ...refusal, cause: error }) : error;
  }
};

export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), parsed.error);
};

export const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'grant_invalid', kind: 'invalid', publicMessage, cause });
