/**
 * A usage row: one attempt of a request, what it counted, what it is charged and who pays. This is the one description of it: the
 * gateway writes it, `usage_write` (prisma/functions) stores each field under the column of `usageColumns`, a checkpoint carries it
 * until the reaper bills it, and quarantine keeps it until somebody replays it.
 */
import { tokenClasses } from '@kilotoken/contracts';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { z } from 'zod';
import { allocationSchema } from './allocation.js';
import { amountSchema } from './amount.js';
import { totalIn, type Charge, type UnitPortion } from './charge.js';

const count = z.int().min(0);
const momentMs = z.number().min(0);

/** As `usage.portions` has it. */
export const portionSchema = z.object({
  unit: z.string().min(1),
  burn_table: z.uuid().nullable(),
  counts: z.partialRecord(z.enum(tokenClasses), count),
  hold: amountSchema,
  rated: amountSchema,
  charge: amountSchema,
});

export const usageRowSchema = z.object({
  organization: z.uuid(),
  id: z.uuid(),
  /** From 0. The last attempt carries the charge. */
  attempt: z.int().min(0).max(32_767),
  root: z.uuid(),
  project: z.uuid(),
  key: z.uuid(),
  user: z.string().nullable(),
  tags: z.record(z.string(), z.string()).nullable(),
  operation: z.string(),
  mode: z.string(),
  stream: z.boolean(),
  model: z.string().min(1),
  tier_asked: z.string(),
  tier_served: z.string(),
  outcome: z.string().min(1),
  status: z.int(),
  error: z.string().nullable(),
  finish: z.string().nullable(),
  lane: z.uuid().nullable(),
  upstream_model: z.string().nullable(),
  upstream_id: z.string().nullable(),
  upstream_status: z.int().nullable(),
  counts: z.partialRecord(z.enum(tokenClasses), count),
  estimated: z.boolean(),
  context: count,
  max_tokens: count,
  price: z.uuid(),
  /** The currency of the price, and what was held, rated and charged in it. */
  unit: z.string().min(1),
  hold: amountSchema,
  rated: amountSchema,
  charge: amountSchema,
  /** Only where another unit pays too: then all of them, in burn order. */
  portions: z.array(portionSchema).min(1).nullable().optional(),
  allocations: z.array(allocationSchema),
  cost: amountSchema,
  cost_currency: z.string(),
  offset_ms: z.int(),
  admitted: momentMs,
  dispatched: momentMs.nullable(),
  first_token: momentMs.nullable(),
  finished: momentMs,
  /** Whether the request has an open row, which this one closes. Not stored. */
  opened: z.boolean(),
});
export type UsageRow = z.infer<typeof usageRowSchema>;

/** The column of `usage` that holds each field; session, flush, shard and the moment of settling are the database's own. */
export const usageColumns = {
  organization: 'organization_id', id: 'id', attempt: 'attempt', root: 'account_root_id', project: 'project_id', key: 'api_key_id', user: 'end_user', tags: 'tags',
  operation: 'operation', mode: 'mode', stream: 'stream', model: 'model', tier_asked: 'tier_asked', tier_served: 'tier_served', outcome: 'outcome', status: 'status',
  error: 'error_code', finish: 'finish_reason', lane: 'lane_id', upstream_model: 'upstream_model', upstream_id: 'upstream_id', upstream_status: 'upstream_status',
  counts: 'counts', estimated: 'estimated', context: 'context_tokens', max_tokens: 'max_tokens', price: 'price_version_id', unit: 'unit', hold: 'hold', rated: 'rated',
  charge: 'charge', portions: 'portions', allocations: 'allocations', cost: 'cost', cost_currency: 'cost_currency', offset_ms: 'clock_offset_ms', admitted: 'admitted_at',
  dispatched: 'dispatched_at', first_token: 'first_token_at', finished: 'finished_at',
} as const satisfies Record<Exclude<keyof UsageRow, 'opened'>, string>;

/** The fields that a row has in the table. */
export type UsageField = keyof typeof usageColumns;

/** How a field is read where its column does not give it as it was written. */
const exactText = (column: string): string => `trim_scale(${column})::text`;
const momentMsOf = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;
const wholeNumber = (column: string): string => `${column}::float8`;
const forms: Partial<Record<UsageField, (column: string) => string>> = {
  hold: exactText, rated: exactText, charge: exactText, cost: exactText, context: wholeNumber, max_tokens: wholeNumber,
  admitted: momentMsOf, dispatched: momentMsOf, first_token: momentMsOf, finished: momentMsOf,
};

/** The select list that reads fields of stored rows as they were written: `Pick<UsageRow, …>` of a query's rows is then true. */
export const usageSelectList = (fields: readonly UsageField[]): string => fields.map((field) => `${(forms[field] ?? String)(usageColumns[field])} AS "${field}"`).join(', ');

type ChargeFields = Pick<UsageRow, 'unit' | 'hold' | 'rated' | 'charge' | 'portions'>;

/** The fields of a charge in its row; `currency` is that of the price. */
export const chargeFields = ({ portions }: Pick<Charge, 'portions'>, currency: string): ChargeFields => {
  const { hold, rated, charge } = totalIn(portions, currency);
  const fields = { unit: currency, hold: formatMoney(hold), rated: formatMoney(rated), charge: formatMoney(charge) };
  if (portions.every(({ burnTableId }) => burnTableId === null)) return fields;
  return {
    ...fields,
    portions: portions.map((portion) => ({
      unit: portion.unit,
      burn_table: portion.burnTableId,
      counts: portion.counts,
      hold: formatMoney(portion.hold),
      rated: formatMoney(portion.rated),
      charge: formatMoney(portion.charge),
    })),
  };
};

/** Reads what `usage.portions` holds. Null where it is not what this release writes: the row is then rated as if it had none, and stands out. */
export const readPortions = (json: string): UnitPortion[] | null => parsePortions(JSON.parse(json));

const parsePortions = (value: unknown): UnitPortion[] | null => {
  const { success, data } = z.array(portionSchema).min(1).safeParse(value);
  if (!success) return null;
  return data.map((portion) => ({
    unit: portion.unit,
    burnTableId: portion.burn_table,
    counts: portion.counts,
    hold: parseMoney(portion.hold),
    rated: parseMoney(portion.rated),
    charge: parseMoney(portion.charge),
  }));
};

/** The portion of each unit that paid: one, in the currency of the price, where the row has none that can be read. */
export const portionsOfRow = ({ unit, counts, hold, rated, charge, portions }: Pick<UsageRow, 'counts' | keyof ChargeFields>): UnitPortion[] =>
  (portions ? parsePortions(portions) : null) ?? [{ unit, burnTableId: null, counts, hold: parseMoney(hold), rated: parseMoney(rated), charge: parseMoney(charge) }];

/** Rows as `usage_insert` reads them: JSON objects, to be joined with those of other requests. */
export const writeUsageRows = (rows: readonly UsageRow[]): string => (rows.length === 1 ? JSON.stringify(rows[0]) : JSON.stringify(rows).slice(1, -1));
