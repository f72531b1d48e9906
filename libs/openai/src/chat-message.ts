import * as z from 'zod';
import { assistantMessage, type AssistantMessage } from './assistant-message.js';
import { cacheControl, isPlainTurn, textContent, userContent, withoutNulls } from './message-parts.js';
import { faultAt, itemsOf, jsonShapes, mapped, oneOf } from '@kilotoken/contracts';

/** The messages of a chat: all roles of OpenAI's API. Keys that we do not know are left out; see `message-parts`. */
export const messagesMax = 2048;

const name = z.string().nullish();
const shared = { name, cache_control: cacheControl };

const roles = {
  developer: mapped(z.object({ role: z.literal('developer'), content: textContent, ...shared }), withoutNulls),
  system: mapped(z.object({ role: z.literal('system'), content: textContent, ...shared }), withoutNulls),
  user: mapped(z.object({ role: z.literal('user'), content: userContent, ...shared }), withoutNulls),
  assistant: assistantMessage,
  tool: mapped(z.object({ role: z.literal('tool'), content: textContent, tool_call_id: z.string(), ...shared }), withoutNulls),
  function: z.object({ role: z.literal('function'), content: z.string().nullable(), name: z.string() }),
};

const roleNames = Object.keys(roles) as [keyof typeof roles, ...(keyof typeof roles)[]];
/** Says which role is wrong or that there is none. */
const unknownRole = z.object({ role: z.enum(roleNames) }).transform((): AssistantMessage => z.NEVER);

/** Left out like any other key, these would be tried in vain; refused, whoever sends them learns that they do nothing. */
const steeringKeys = ['api_base', 'base_url', 'api_key', 'extra_body', 'extra_headers'] as const;

const steered = z
  .record(z.string(), z.unknown())
  .check(({ value, issues }) => {
    const key = steeringKeys.find((name) => name in value);
    if (key) issues.push(faultAt('unknown_parameter', [key], `Unknown parameter: a message has no '${key}'.`));
  })
  .transform((): AssistantMessage => z.NEVER);
jsonShapes.set(steered, () => ({ not: {} }));

const kindOf = (value: Readonly<Record<string, unknown>>): keyof typeof roles | 'steered' | 'unknown' => {
  // Written out: to ask for each by a variable takes ten times as long as to read the message.
  const { role, api_base: a, base_url: b, api_key: c, extra_body: d, extra_headers: e } = value;
  if (a !== undefined || b !== undefined || c !== undefined || d !== undefined || e !== undefined) return 'steered';
  return typeof role === 'string' && Object.hasOwn(roles, role) ? (role as keyof typeof roles) : 'unknown';
};

export const messageSchema = oneOf(kindOf, { ...roles, steered, unknown: unknownRole });

export type ChatMessage = z.output<typeof messageSchema>;

const plainRoles: ReadonlySet<unknown> = new Set(['developer', 'system', 'user', 'assistant']);

/** Exactly `{ role, content }` with a text: nearly every message. The schema takes fifty times as long to say the same. */
const isPlainMessage = (value: unknown): value is ChatMessage => isPlainTurn(value, plainRoles);

export const messagesSchema = itemsOf(messageSchema, { min: 1, max: messagesMax }, isPlainMessage);
