import * as z from 'zod';
import { cacheControl } from './message-parts.js';
import { byType, freeObject, itemsOf, mapped } from '@kilotoken/contracts';

/** Tools, the older functions, and the formats that an answer can be made to have. */
const toolsMax = 128;
const toolBounds = { max: toolsMax };

/** None is the same as no list. */
const someOf = <T>(items: T[]): T[] | null => (items.length > 0 ? items : null);

/** OpenAI: letters, digits, underscores and dashes, at most 64. */
const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/);
const named = z.strictObject({ name: z.string() });

const functionTool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: toolName,
    description: z.string().nullish(),
    parameters: freeObject.nullish(),
    strict: z.boolean().nullish(),
  }),
  cache_control: cacheControl,
});

const customFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({
    type: z.literal('grammar'),
    grammar: z.strictObject({ definition: z.string(), syntax: z.enum(['lark', 'regex']) }),
  }),
]);

const customTool = z.strictObject({
  type: z.literal('custom'),
  custom: z.strictObject({ name: toolName, description: z.string().nullish(), format: customFormat.nullish() }),
});

export const toolsSchema = mapped(itemsOf(z.discriminatedUnion('type', [functionTool, customTool]), toolBounds), someOf);

const choiceOfFunction = z.strictObject({ type: z.literal('function'), function: named });
const choiceOfCustom = z.strictObject({ type: z.literal('custom'), custom: named });
const namedChoice = z.discriminatedUnion('type', [choiceOfFunction, choiceOfCustom]);

export const toolChoiceSchema = byType({
  string: z.enum(['none', 'auto', 'required']),
  object: z.discriminatedUnion('type', [
    choiceOfFunction,
    choiceOfCustom,
    z.strictObject({
      type: z.literal('allowed_tools'),
      allowed_tools: z.strictObject({ mode: z.enum(['auto', 'required']), tools: itemsOf(namedChoice, { min: 1, ...toolBounds }) }),
    }),
  ]),
});

export const functionsSchema = mapped(
  itemsOf(z.strictObject({ name: toolName, description: z.string().nullish(), parameters: freeObject.nullish() }), toolBounds),
  someOf,
);

export const functionCallSchema = byType({ string: z.enum(['none', 'auto']), object: named });

export const responseFormatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: toolName,
      description: z.string().nullish(),
      schema: freeObject.nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
]);
