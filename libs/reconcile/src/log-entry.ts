/**
 * The logs that are compared with the database (I10): one JSON object a line, further fields are ignored. Both meet usage rows by
 * the request id, which a gateway gives its client and its vendor as `x-request-id`. Pure.
 */
import { z } from 'zod';

const tokens = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const amount = z.string().regex(/^\d{1,26}(\.\d{1,12})?$/, 'must be an exact decimal such as "0.00036"');
/** `usage.cost` is a number: the nearest that a double has, where it was not kept as text. */
const cost = z.union([amount, z.number().min(0).max(Number.MAX_SAFE_INTEGER)], 'must be a number or an exact decimal such as "0.00036"');
/** Postgres stores no NUL and no half of a surrogate pair: a line that has one is named, before the database refuses a whole batch. */
const storable = (schema: z.ZodString): z.ZodString => schema.refine((value) => !value.includes('\0') && value.isWellFormed(), 'has a NUL or half of a surrogate pair');
const text = storable(z.string().max(500));
const charges = z.array(z.object({ unit: storable(z.string().min(1).max(64)), amount })).max(16);

/** A client's log: one line per request. */
export const clientLogEntry = z.object({
  /** `x-request-id` of the answer; null where no answer came. */
  requestId: z.uuid().nullable(),
  /** HTTP status; null where no answer came. */
  status: z.int().min(100).max(599).nullable(),
  /** All of an answer arrived: a JSON body with status 200, or a stream with a finish reason for each choice and [DONE]. */
  completed: z.boolean(),
  /** The client gave up. */
  aborted: z.boolean().default(false),
  /** `error.code` of a refusal. */
  errorCode: text.nullish(),
  /** The answer's `usage` as it came, where it was told. */
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens, cost: cost.nullish(), kilotoken: z.object({ charges }).nullish() }).nullish(),
  /** `usage.cost` where it was logged apart, and the header `x-kilotoken-charge`. */
  cost: cost.nullish(),
  charge: amount.nullish(),
});

/** A vendor's log: one line per request that reached it. */
export const vendorLogEntry = z.object({
  /** The response's id. */
  id: storable(z.string().min(1).max(500)),
  /** `x-request-id` as it arrived; null where the vendor does not log it. */
  requestId: text.nullable(),
  status: z.int().min(100).max(599),
  /** The last byte of a whole answer was sent. */
  complete: z.boolean(),
  promptTokens: tokens,
  /** Tokens of output that were sent. */
  tokens,
  /** The usage that was told; anything that is not two whole numbers counts as none. */
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(null),
});

export type ClientLogEntry = z.infer<typeof clientLogEntry>;
export type VendorLogEntry = z.infer<typeof vendorLogEntry>;

const uuid = z.uuid();

/** A request id that is none of ours is of somebody else's request. */
export const isOurs = ({ requestId }: VendorLogEntry): boolean => requestId === null || uuid.safeParse(requestId).success;

/** The stored part of a line; the names are the temporary tables' columns. */
export const clientRow = (line: number, entry: ClientLogEntry): object => {
  const told = entry.cost ?? entry.usage?.cost ?? null;
  return { ...tokensRow(line, entry), cost: typeof told === 'string' ? told : null, cost_number: typeof told === 'number' ? told : null };
};

const tokensRow = (line: number, entry: ClientLogEntry): object => ({
  line,
  request_id: entry.requestId,
  status: entry.status,
  completed: entry.completed,
  aborted: entry.aborted,
  error_code: entry.errorCode ?? null,
  prompt_tokens: entry.usage?.prompt_tokens ?? null,
  completion_tokens: entry.usage?.completion_tokens ?? null,
  charges: entry.usage?.kilotoken?.charges ?? null,
  charge: entry.charge ?? null,
});

export const vendorRow = (line: number, entry: VendorLogEntry): object => ({
  line,
  id: entry.id,
  request_id: entry.requestId,
  status: entry.status,
  complete: entry.complete,
  prompt_tokens: entry.promptTokens,
  tokens: entry.tokens,
  told_prompt: entry.usage?.prompt_tokens ?? null,
  told_completion: entry.usage?.completion_tokens ?? null,
});
