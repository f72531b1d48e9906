import { AppError } from '@kilotoken/platform';
import type { z } from 'zod';

export const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'accounts_invalid', kind: 'invalid', publicMessage, cause });
export const notFound = (thing: string, publicMessage: string): AppError => new AppError({ code: `${thing}_not_found`, kind: 'not_found', publicMessage });
export const conflict = (code: string, publicMessage: string, cause?: unknown): AppError => new AppError({ code, kind: 'conflict', publicMessage, cause });
export const forbidden = (code: string, publicMessage: string): AppError => new AppError({ code, kind: 'forbidden', publicMessage });

export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), parsed.error);
};
