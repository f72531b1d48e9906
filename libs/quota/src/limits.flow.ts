import { getProject } from '@kilotoken/identity';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { AppError, changeAs, mintId, type RawDb, readDatabaseNow } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { calendarKinds, measures, type Limit } from './limit.js';
import { deleteLimit, findLineage, isPackUnit, listLimitRows, upsertLimit, type StoredLimit } from './limits.store.js';

const amountSchema = z.string().regex(/^\d{1,26}(\.\d{1,12})?$/, 'must be a decimal number of at least 0 with at most 12 decimals');
const windowMsMax = 31 * 86_400_000;

const newLimitSchema = z
  .strictObject({
    organizationId: z.uuid(),
    /** The limit's subject: a project by id or name, a key by id. */
    subject: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('organization') }),
      z.strictObject({ kind: z.literal('project'), project: z.string().min(1) }),
      z.strictObject({ kind: z.literal('key'), keyId: z.uuid() }),
      z.strictObject({ kind: z.literal('end_user') }),
    ]),
    measure: z.enum(measures),
    currency: z.string().regex(/^([A-Z]{3}|[a-z][a-z0-9-]{1,62})$/, 'must be a currency such as USD, or a pack unit').nullish(),
    /** Null for concurrency, and only for it. */
    window: z.union([z.enum(calendarKinds), z.int().min(1_000, 'must be at least 1 second').max(windowMsMax, 'must be at most 31 days')]).nullable(),
    amount: amountSchema,
    mode: z.enum(['hard', 'soft']),
    /** Of a budget: at which percents of its amount somebody is told. Left out: those that it has, or 50, 80 and 100. */
    alertPercents: z.array(z.int().min(1).max(1_000)).max(10).optional(),
  })
  .refine(({ measure, window }) => (measure === 'concurrency') === (window === null), { path: ['window'], error: 'is required for every measure except concurrency, which has none' })
  .refine(({ measure, currency }) => (measure === 'money') === (currency != null), { path: ['currency'], error: 'is required for money, and allowed for it only' })
  .refine(({ measure, amount }) => measure === 'money' || !/\.\d*[1-9]/.test(amount), { path: ['amount'], error: 'must be a whole number' });
export type NewLimit = z.input<typeof newLimitSchema>;

const parse = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new AppError({
    code: 'limit_invalid',
    kind: 'invalid',
    publicMessage: result.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '),
    cause: result.error,
  });
};

const isCurrency = (unit: string): boolean => /^[A-Z]{3}$/.test(unit);

const notFound = (code: string, publicMessage: string): AppError => new AppError({ code, kind: 'not_found', publicMessage });

/**
 * Sets a limit; every gateway applies it within a second. Setting the same one again, by subject, measure and window, changes its
 * amount and mode and keeps its count. Throws `limit_invalid`, `project_not_found` or `api_key_not_found`.
 */
export const setLimit = async (client: ControlClient, input: NewLimit): Promise<StoredLimit> => {
  const { organizationId, subject, measure, currency, window, amount, mode, alertPercents } = parse(newLimitSchema, input);
  return changeAs(client, organizationId, async (db) => {
    const subjectIdOf = async (): Promise<string> => {
      if (subject.kind === 'project') return (await getProject(db, organizationId, subject.project)).id;
      if (subject.kind !== 'key') return organizationId;
      const lineage = await findLineage(db, organizationId, subject.keyId);
      if (lineage === null) throw notFound('api_key_not_found', 'The organization has no such key.');
      return lineage;
    };
    if (currency != null && !isCurrency(currency) && !(await isPackUnit(db, currency))) {
      throw new AppError({ code: 'limit_invalid', kind: 'invalid', publicMessage: 'currency: must be a currency such as USD, or a declared pack unit' });
    }
    const exact = parseMoney(amount);
    const limit: Limit = {
      id: mintId((await readDatabaseNow(db)).getTime()),
      subjectKind: subject.kind,
      subjectId: await subjectIdOf(),
      measure,
      unit: currency ?? 'count',
      windowKind: window === null ? 'none' : typeof window === 'number' ? 'rolling' : window,
      windowMs: typeof window === 'number' ? window : 0,
      amount: exact,
      mode,
    };
    const id = await upsertLimit(db, organizationId, limit, formatMoney(exact), alertPercents ? [...new Set(alertPercents)].sort((one, other) => one - other) : null);
    return (await listLimitRows(db, organizationId)).find((stored) => stored.id === id)!;
  });
};

/** Oldest first. */
export const listLimits = (db: RawDb, organizationId: string): Promise<StoredLimit[]> => listLimitRows(db, organizationId);

/** Every gateway drops the limit within a second. Throws `limit_not_found`. */
export const removeLimit = (client: ControlClient, input: { organizationId: string; id: string }): Promise<void> => {
  const { organizationId, id } = parse(z.strictObject({ organizationId: z.uuid(), id: z.uuid() }), input);
  return changeAs(client, organizationId, async (db) => {
    if (!(await deleteLimit(db, organizationId, id))) throw notFound('limit_not_found', 'The organization has no such limit.');
  });
};
