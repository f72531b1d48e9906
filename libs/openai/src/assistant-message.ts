import { type AnswerField, answerFields, anything, byType, faultAt, itemsOf, jsonTypeOf, mapped, oneOf } from '@kilotoken/contracts';
import * as z from 'zod';
import { cacheControl, isPlainText, partsBounds, textPart, withoutNulls } from './message-parts.js';

/**
 * An answer as a client sends it back in its next turn. It has what the vendor put into it, what we passed on and what an SDK's helpers
 * added (`parsed`, `parsed_arguments`, `index`): the fields below are understood, all others left out.
 */
const toolCallsMax = 128;

/** The form of each field as its vendor sends it; any other form is omitted. */
const answerFieldTypes: Readonly<Record<AnswerField, 'string' | 'array' | 'object'>> = {
  reasoning: 'string',
  reasoning_content: 'string',
  reasoning_details: 'array',
  thinking_blocks: 'array',
  extra_content: 'object',
  provider_specific_fields: 'object',
};

const vendorFields = Object.fromEntries(answerFields.map((name) => [name, anything])) as Record<AnswerField, typeof anything>;

const isForeign = (name: string, value: unknown): boolean => {
  const expected = Object.hasOwn(answerFieldTypes, name) ? answerFieldTypes[name as AnswerField] : null;
  return expected !== null && jsonTypeOf(value) !== expected;
};

/** An object without what says nothing, and without vendors' fields that are not what they should be. */
const withoutForeign = <T extends object>(value: T): T => {
  const kept: Record<string, unknown> = {};
  for (const name in value) {
    const field: unknown = value[name];
    if (field != null && !isForeign(name, field)) kept[name] = field;
  }
  return kept as T;
};

/** Models that call a function without arguments may leave them out. */
const functionCall = mapped(z.object({ name: z.string(), arguments: z.string().nullish() }), ({ name, arguments: written }) => ({ name, arguments: written ?? '' }));

const { extra_content, provider_specific_fields } = vendorFields;
const callOfFunction = z.object({ id: z.string(), type: z.literal('function').nullish(), function: functionCall, extra_content, provider_specific_fields });
const callOfCustom = z.object({
  id: z.string(),
  type: z.literal('custom'),
  custom: z.object({ name: z.string(), input: z.string() }),
  extra_content,
  provider_specific_fields,
});

const toolCall = oneOf(({ type }) => (type === 'custom' ? 'custom' : 'function'), {
  custom: mapped(callOfCustom, withoutForeign),
  function: mapped(callOfFunction, (call) => {
    const cleaned = withoutForeign(call);
    cleaned.type = 'function';
    return cleaned as typeof cleaned & { type: 'function' };
  }),
});

/** Omits parts other than text and refusals, such as the thoughts that some vendors put among them. */
const part = oneOf(({ type }) => (type === 'text' || type === 'refusal' ? type : 'foreign'), {
  text: mapped(textPart, withoutNulls),
  refusal: z.object({ type: z.literal('refusal'), refusal: z.string() }),
  foreign: mapped(anything, () => null),
});

type Content = string | readonly (z.output<typeof textPart> | { type: 'refusal'; refusal: string })[] | null;

const parts = mapped(itemsOf(part, { ...partsBounds, min: 0 }, isPlainText), (items): Content => {
  const understood = items.filter((item) => item !== null);
  return understood.length > 0 ? understood : null;
});
const text: z.ZodType<Content> = z.string();

const fields = z.object({
  role: z.literal('assistant'),
  content: byType({ string: text, array: parts, null: z.null() }).optional(),
  name: z.string().nullish(),
  refusal: z.string().nullish(),
  tool_calls: itemsOf(toolCall, { max: toolCallsMax }).nullish(),
  function_call: functionCall.nullish(),
  audio: z.object({ id: z.string().nullish(), transcript: z.string().nullish() }).nullish(),
  cache_control: cacheControl,
  ...vendorFields,
});

type Fields = z.output<typeof fields>;

const saysSomethingBesideContent = ({ refusal, tool_calls: calls, function_call: call, audio }: Fields): boolean =>
  refusal != null || (calls != null && calls.length > 0) || call != null || audio != null;

const hasThoughts = (message: Fields): boolean => answerFields.some((name) => message[name] != null);

const checked = fields.check(({ value, issues }) => {
  if (value.content === undefined && !saysSomethingBesideContent(value) && !hasThoughts(value)) {
    issues.push(faultAt('missing_required_parameter', ['content'], 'An assistant message needs content, tool_calls or function_call.'));
  }
});

/** An answer that ended before its first word has no content, or null; servers want a text there. */
export const assistantMessage = mapped(checked, (message): Fields => {
  const cleaned = withoutForeign(message);
  if (cleaned.tool_calls?.length === 0) delete cleaned.tool_calls;
  if (message.content == null) {
    if (!saysSomethingBesideContent(message)) cleaned.content = '';
    else if (message.content === null) cleaned.content = null;
  }
  return cleaned;
});

export type AssistantMessage = Fields;
