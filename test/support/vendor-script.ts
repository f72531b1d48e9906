import { z } from 'zod';
import { rawAnswerSchema } from './vendor-raw.js';

/**
 * What the vendor stand-in does with a request. A test says it in the last user message, as
 * `{"vendor": {"outputTokens": 20, "dieAfterChunks": 3}}`, by the upstream model's name, or for all requests; the more
 * specific wins field by field. A misspelt field is refused: a fault that was never injected proves nothing.
 */

export const usageShapes = [
  /** As OpenAI does: `usage: null` on every chunk, then a chunk with empty `choices` that carries it. */
  'extra_chunk',
  /** Beside the finish_reason. */
  'in_last_chunk',
  /** Cumulative on every chunk, as some engines do. */
  'every_chunk',
  'omit',
  'null',
  'twice',
  'zero',
  'negative',
  'fraction',
  'text',
  /** A thousand times what was served. */
  'inflated',
  /** 2⁶³, beyond every safe integer. */
  'huge',
  /** More cached tokens than the prompt has. */
  'cached_above_prompt',
] as const;
export type UsageShape = (typeof usageShapes)[number];

const count = z.number().int().min(0).max(1_000_000);
const delayMs = z.number().int().min(0).max(600_000);

export const vendorScriptSchema = z
  .strictObject({
    /** Joins the client's log and the vendor's. */
    label: z.string().max(200),
    /** Tokens of each choice, before `max_tokens` cuts it. */
    outputTokens: count,
    /** Instead of the count of the prompt's bytes. */
    promptTokens: count,
    cachedTokens: count,
    reasoningTokens: count,
    usage: z.enum(usageShapes),

    status: z.number().int().min(200).max(599),
    retryAfter: z.string().max(50),
    /** The `code` in the error's body. */
    errorCode: z.string().max(50),
    /** With `status`: only the first so many requests of a label (or of a model) fail. */
    failures: count,

    firstByteDelayMs: delayMs,
    chunkDelayMs: delayMs,
    /** Between two bytes of the body. */
    slowDripMs: delayMs,
    splitEveryByte: z.boolean(),

    /** Waits after so many chunks until the test lets it go on (`Vendor.letGo`); with 0, and for JSON, before its headers. */
    waitAfterChunks: count,
    hangBeforeHeaders: z.boolean(),
    hangAfterChunks: count,
    /** Resets the connection after so many chunks; for JSON, after half of the body. */
    dieAfterChunks: count,
    /** Ends the connection cleanly after so many chunks, without finish_reason, usage or [DONE]. */
    endAfterChunks: count,
    /** Sends an error event instead of the chunk after so many, and ends. */
    errorAfterChunks: count,
    garbage: z.boolean(),
    finishReasonTwice: z.boolean(),
    noDone: z.boolean(),
    contentType: z.string().max(100),
    /** Exactly these bytes instead of an answer. */
    raw: rawAnswerSchema,
  })
  .partial();
type ParsedScript = z.infer<typeof vendorScriptSchema>;
/** As a test writes it: what has a default may be left out. */
export type VendorScript = z.input<typeof vendorScriptSchema>;

const instructionSchema = z.strictObject({ vendor: vendorScriptSchema });

export const controlSchema = z.strictObject({
  /** For every request. */
  all: vendorScriptSchema.optional(),
  /** By the name of the upstream model. */
  models: z.record(z.string(), vendorScriptSchema).optional(),
});
export type VendorControl = z.input<typeof controlSchema>;

/** The instruction in a prompt's text; none where it holds other text. Throws for an instruction that is misspelt. */
export function readInstruction(text: string): ParsedScript {
  if (!text.startsWith('{"vendor"')) return {};
  return instructionSchema.parse(JSON.parse(text)).vendor;
}

/** The text of a user message that instructs the stand-in. */
export const instruct = (vendor: VendorScript): string => JSON.stringify({ vendor });
