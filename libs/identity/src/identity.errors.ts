import type { z } from 'zod';
import { AppError } from '@kilotoken/platform';

export const notFound = (what: 'organization' | 'project' | 'api_key' | 'price_book', publicMessage: string): AppError =>
  new AppError({ code: `${what}_not_found`, kind: 'not_found', publicMessage });

export const conflict = (code: string, publicMessage: string): AppError => new AppError({ code, kind: 'conflict', publicMessage });

export const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'identity_invalid', kind: 'invalid', publicMessage, cause });

/** Parses what a caller gave; throws an AppError `identity_invalid` that names each wrong field. */
export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalid(result.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), result.error);
};
