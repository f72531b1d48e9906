import * as z from 'zod';
import { isAllowedImageUrl } from './image-url.js';
import { byType, itemsOf } from './schema-parts.js';
import { faultAt } from './schema-refusal.js';

/** The messages of a chat: all roles and content parts of OpenAI's API, each closed against unknown keys. */
export const messagesMax = 2048;
const partsMax = 2048;
const toolCallsMax = 128;

const cacheBreakpoint = z.strictObject({ mode: z.literal('explicit') }).optional();

const textPart = z.strictObject({ type: z.literal('text'), text: z.string(), prompt_cache_breakpoint: cacheBreakpoint });
const refusalPart = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });

const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({
    url: z.string().refine(isAllowedImageUrl, {
      error: 'The URL of an image must be http(s) to a public host, or data:image/…;base64 data.',
      params: { code: 'invalid_image_url' },
    }),
    detail: z.enum(['auto', 'low', 'high']).optional(),
  }),
  prompt_cache_breakpoint: cacheBreakpoint,
});

const audioPart = z.strictObject({
  type: z.literal('input_audio'),
  input_audio: z.strictObject({ data: z.string(), format: z.enum(['wav', 'mp3']) }),
  prompt_cache_breakpoint: cacheBreakpoint,
});

const filePart = z.strictObject({
  type: z.literal('file'),
  file: z.strictObject({
    file_data: z.string().optional(),
    file_id: z.string().optional(),
    filename: z.string().optional(),
  }),
  prompt_cache_breakpoint: cacheBreakpoint,
});

type TextPart = z.output<typeof textPart>;

/** Exactly `{ type: 'text', text }`. */
const isPlainText = (value: unknown): value is TextPart =>
  hasKeys(value, 2) && value['type'] === 'text' && typeof value['text'] === 'string';

const hasKeys = (value: unknown, count: number): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false;
  let keys = 0;
  for (const _ in value) if (++keys > count) return false;
  return keys === count;
};

const parts = { min: 1, max: partsMax };
const text = z.string();
export const textContent = byType({ string: text, array: itemsOf(textPart, parts, isPlainText) });
const userPart = z.discriminatedUnion('type', [textPart, imagePart, audioPart, filePart]);
const assistantPart = z.discriminatedUnion('type', [textPart, refusalPart]);

const name = z.string().nullish();
const functionCall = z.strictObject({ name: z.string(), arguments: z.string() });
const toolCall = z.discriminatedUnion('type', [
  z.strictObject({ id: z.string(), type: z.literal('function'), function: functionCall }),
  z.strictObject({ id: z.string(), type: z.literal('custom'), custom: z.strictObject({ name: z.string(), input: z.string() }) }),
]);

const assistantMessage = z
  .strictObject({
    role: z.literal('assistant'),
    content: byType({ string: text, array: itemsOf(assistantPart, parts, isPlainText), null: z.null() }).optional(),
    name,
    refusal: z.string().nullish(),
    tool_calls: itemsOf(toolCall, { max: toolCallsMax }).nullish(),
    function_call: functionCall.nullish(),
    audio: z.strictObject({ id: z.string() }).nullish(),
    // Not OpenAI's: what reasoning models of other vendors answered with and want to see again after a tool call.
    reasoning_content: z.string().nullish(),
    // Part of an answer that a client sends back as it came. It is not part of a request, so it goes no further.
    annotations: z.array(z.unknown()).nullish().transform(() => undefined).optional(),
  })
  .check(({ value, issues }) => {
    const says = value.content ?? value.refusal ?? value.function_call ?? value.audio ?? value.tool_calls?.[0];
    if (says === undefined) {
      issues.push(faultAt('missing_required_parameter', ['content'], 'An assistant message needs content, tool_calls or function_call.'));
    }
  });

export const messageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('developer'), content: textContent, name }),
  z.strictObject({ role: z.literal('system'), content: textContent, name }),
  z.strictObject({ role: z.literal('user'), content: byType({ string: text, array: itemsOf(userPart, parts, isPlainText) }), name }),
  assistantMessage,
  z.strictObject({ role: z.literal('tool'), content: textContent, tool_call_id: z.string(), name }),
  z.strictObject({ role: z.literal('function'), content: z.string().nullable(), name: z.string() }),
]);

export type ChatMessage = z.output<typeof messageSchema>;

const plainRoles: ReadonlySet<unknown> = new Set(['developer', 'system', 'user', 'assistant']);

/** Exactly `{ role, content }` with a text: nearly every message. The schema takes fifty times as long to say the same. */
const isPlainMessage = (value: unknown): value is ChatMessage =>
  hasKeys(value, 2) && typeof value['content'] === 'string' && plainRoles.has(value['role']);

export const messagesSchema = itemsOf(messageSchema, { min: 1, max: messagesMax }, isPlainMessage);
