import * as z from 'zod';
import { errorCatalogue, tokenClasses } from '@kilotoken/contracts';

/** Schemas of the gateway's answers. Objects are open if a vendor's own fields pass through. */
const amount = z.string().regex(/^-?\d+(\.\d{1,12})?$/).meta({ description: 'An exact decimal, at most 12 places.' });
const count = z.int().min(0);
const id = z.uuid();
const moment = z.iso.datetime();
const counts = z.partialRecord(z.enum(tokenClasses), count);

const charges = z.array(z.strictObject({ unit: z.string(), amount })).meta({ description: 'What was charged, by unit: a currency, or the unit of a package.' });

const usage = z
  .strictObject({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: z.strictObject({
      cached_tokens: count,
      audio_tokens: count,
      image_tokens: count.optional(),
      cache_write_tokens: count.optional(),
      cache_creation: z.strictObject({ ephemeral_5m_input_tokens: count, ephemeral_1h_input_tokens: count }).optional(),
    }),
    completion_tokens_details: z.strictObject({ reasoning_tokens: count, audio_tokens: count, image_tokens: count.optional() }),
    estimated: z.literal(true).optional().meta({ description: "The vendor did not give all counts: some are our tokenizer's." }),
    cost: z.number().min(0).meta({ description: 'The part of the charge in money, an exact decimal with at most 12 places. Exact as text: `kilotoken.charges`.' }),
    cost_currency: z.string().optional().meta({ description: 'Absent where packages alone paid.' }),
    kilotoken: z.strictObject({ charges }),
  })
  .meta({ description: 'The counts that are charged, and the charge.' });

const finishReason = z.string().nullable();

export const chatCompletion = z.looseObject({
  id: z.string().regex(/^chatcmpl-/),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(z.looseObject({ index: count, message: z.looseObject({ role: z.literal('assistant'), content: z.string().nullish() }), finish_reason: finishReason })),
  usage,
});

export const chatCompletionChunk = z
  .looseObject({
    id: z.string().regex(/^chatcmpl-/),
    object: z.literal('chat.completion.chunk'),
    created: z.int(),
    model: z.string(),
    choices: z.array(z.looseObject({ index: count, delta: z.looseObject({ content: z.string().nullish() }), finish_reason: finishReason.optional() })),
    usage: usage.nullish(),
  })
  .meta({ description: 'The data of one event. The last one before `[DONE]` has the usage, where `stream_options.include_usage` asks for it.' });

export const completion = z.looseObject({
  id: z.string().regex(/^cmpl-/),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(z.looseObject({ index: count, text: z.string(), finish_reason: finishReason })),
  usage,
});

export const model = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  context_window: count,
  max_output_tokens: count,
  pricing: z.strictObject({ currency: z.string(), rates: z.partialRecord(z.enum(tokenClasses), z.strictObject({ amount, per: z.int().min(1) })) }),
});

export const modelList = z.strictObject({ object: z.literal('list'), data: z.array(model) });

export const credits = z.strictObject({
  object: z.literal('list'),
  data: z.array(
    z.strictObject({ id, source: z.string(), unit: z.string(), granted: amount, available: amount, held: amount, used: amount, expires_at: moment.nullable() }),
  ),
});

const times = z.strictObject({
  admitted_at: moment,
  dispatched_at: moment.nullish(),
  first_token_at: moment.nullish(),
  finished_at: moment.optional(),
  settled_at: moment.optional(),
});

export const generation = z.strictObject({
  id,
  object: z.literal('generation'),
  model: z.string(),
  status: z.enum(['running', 'completed', 'client_closed', 'upstream_failed', 'interrupted']),
  finish_reason: z.string().nullish(),
  usage: z.strictObject({ prompt_tokens: count, completion_tokens: count, total_tokens: count, by_class: counts, estimated: z.boolean() }).nullable(),
  estimated: z.boolean(),
  cost: amount.nullable(),
  cost_currency: z.string().nullable(),
  charges,
  hold: amount.optional(),
  lines: z.array(z.strictObject({ unit: z.string().optional().meta({ description: 'Where a package paid: the unit of this line.' }), token_class: z.enum(tokenClasses), tokens: count, amount, per: z.int().min(1), charge: amount })),
  not_charged: amount.optional().meta({ description: 'What exceeded the hold: lines − not_charged = cost.' }),
  price_version: id.optional(),
  allocations: z.array(z.strictObject({ grant: id, unit: z.string(), tokens: count, amount })),
  attempts: z.array(
    z.strictObject({
      attempt: count,
      status: z.string(),
      error: z.string().nullable(),
      charge: amount,
      dispatched_at: moment.nullable(),
      first_token_at: moment.nullable(),
      finished_at: moment,
    }),
  ),
  times,
});

const errorCodes = Object.keys(errorCatalogue) as [keyof typeof errorCatalogue, ...(keyof typeof errorCatalogue)[]];

export const errorBody = z.strictObject({
  error: z.strictObject({
    message: z.string().meta({ description: 'For people; may change.' }),
    type: z.string(),
    param: z.string().nullable().meta({ description: "The parameter's path." }),
    code: z.enum(errorCodes).meta({ description: 'For programs; stable.' }),
    generation: z
      .strictObject({ id: id.nullable(), object: z.literal('generation'), status: z.enum(['running', 'completed', 'failed']), cost: amount.nullable(), cost_currency: z.string().nullable() })
      .optional()
      .meta({ description: "With `idempotency_conflict`: what the key's first request made of it." }),
  }),
});

export const health = z.looseObject({ status: z.string() });
