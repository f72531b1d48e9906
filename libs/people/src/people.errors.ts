import type { z } from 'zod';
import { AppError, prismaSqlStateOf, sqlStateOf } from '@kilotoken/platform';

export const notFound = (what: 'person' | 'member' | 'invitation' | 'service_token' | 'session', publicMessage: string): AppError =>
  new AppError({ code: `${what}_not_found`, kind: 'not_found', publicMessage });

export const conflict = (code: string, publicMessage: string): AppError => new AppError({ code, kind: 'conflict', publicMessage });

const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'people_invalid', kind: 'invalid', publicMessage, cause });

/** Throws an AppError `people_invalid` that names each wrong field. */
export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalid(result.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), result.error);
};

/** Refusals of the database's own rules, as callers may be told of them. */
const refusals: Readonly<Record<string, () => AppError>> = {
  KT050: () => invalid('role: this organization has no such role; the company has staff, a customer has owners, developers, billing and viewers'),
  KT051: () => conflict('last_owner', 'This is the last owner (of the company: the last admin). Give somebody else that role first.'),
  KT053: () => notFound('invitation', 'The invitation was used, revoked or has expired. Ask for a new one.'),
};

export const explaining = async <Result>(work: Promise<Result>): Promise<Result> => {
  try {
    return await work;
  } catch (error) {
    const refusal = refusals[sqlStateOf(error) ?? prismaSqlStateOf(error) ?? ''];
    throw refusal ? refusal() : error;
  }
};
