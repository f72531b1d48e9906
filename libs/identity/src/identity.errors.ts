import type { z } from 'zod';
import { AppError, type PublicValues } from '@kilotoken/platform';

export const notFound = (what: 'organization' | 'project' | 'api_key' | 'price_book', publicMessage: string): AppError =>
  new AppError({ code: `${what}_not_found`, kind: 'not_found', publicMessage });

/** How many of those that a name may mean are named. */
export const candidatesMax = 20;

/** A name that means several: says which, so that the caller can choose one by its id. */
export const ambiguous = (what: 'organization' | 'api_key', sentence: string, candidates: readonly string[]): AppError =>
  new AppError({ code: `${what}_ambiguous`, kind: 'conflict', publicMessage: `${sentence}\n${candidates.map((candidate) => `  ${candidate}`).join('\n')}` });

export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

export const conflict = (code: string, publicMessage: string, values: PublicValues = {}): AppError => new AppError({ code, kind: 'conflict', publicMessage, values });

export const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'identity_invalid', kind: 'invalid', publicMessage, cause });

/** Parses what a caller gave; throws an AppError `identity_invalid` that names each wrong field. */
export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalid(result.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), result.error);
};
