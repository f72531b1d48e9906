import type { z } from 'zod';
import { AppError, type PublicValues } from '@kilotoken/platform';

export const notFound = (what: 'webhook_endpoint' | 'delivery' | 'notice' | 'job', publicMessage: string): AppError =>
  new AppError({ code: `${what}_not_found`, kind: 'not_found', publicMessage });

export const conflict = (code: string, publicMessage: string, values: PublicValues = {}): AppError => new AppError({ code, kind: 'conflict', publicMessage, values });

/** Throws an AppError `events_invalid` that names each wrong field. */
export const parseInput = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const publicMessage = result.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; ');
  throw new AppError({ code: 'events_invalid', kind: 'invalid', publicMessage, cause: result.error });
};
