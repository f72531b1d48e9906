import { answerFields } from '@kilotoken/contracts';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { ChatMessage } from './chat-message.js';

/** Messages and tools for a lane: vendors' own fields only if it declares them, everything else as the client sent it. */
export type LaneCapabilities = ReadonlySet<string>;

/** Fields of messages, parts, calls and tools that need a capability: of the same name, or that of OpenAI's explicit caching. */
const capabilityOfField: Readonly<Record<string, string>> = {
  ...Object.fromEntries(answerFields.map((name) => [name, name])),
  cache_control: 'cache_control',
  prompt_cache_breakpoint: 'prompt_cache',
};

/** An object without the fields that the lane does not understand; the same object where it has none. */
const fieldsFor = <T extends object>(value: T, lane: LaneCapabilities): T => {
  for (const field in value) {
    if (!isForeign(field, lane)) continue;
    return Object.fromEntries(Object.entries(value).filter(([name]) => !isForeign(name, lane))) as T;
  }
  return value;
};

const isForeign = (field: string, lane: LaneCapabilities): boolean => {
  const capability = capabilityOfField[field];
  return capability !== undefined && !lane.has(capability);
};

/** The same list where nothing in it changes. */
const each = <T>(items: readonly T[], change: (item: T) => T): readonly T[] => {
  let changed: T[] | null = null;
  for (let index = 0; index < items.length; index++) {
    const item = change(items[index]!);
    if (item !== items[index]) changed ??= items.slice(0, index);
    changed?.push(item);
  }
  return changed ?? items;
};

type Assistant = Extract<ChatMessage, { role: 'assistant' }>;

/** Earlier sound is known to the vendor that made it by its id. Any other lane reads what was said. */
const audioFor = (message: Assistant, lane: LaneCapabilities): Assistant => {
  const { audio, ...others } = message;
  if (!audio) return message;
  if (audio.id != null && lane.has('audio_reference')) return { ...message, audio: { id: audio.id } };
  return { ...others, content: message.content ?? audio.transcript ?? '' };
};

const messageFor = (message: ChatMessage, lane: LaneCapabilities): ChatMessage => {
  // OpenAI has `developer` replace `system`; templates of other models know only the latter, and it means the same.
  let sent: ChatMessage = message.role === 'developer' && !lane.has('developer_role') ? { ...message, role: 'system' } : message;
  if (typeof message.content === 'string' && Object.keys(message).length === 2) return sent;
  sent = fieldsFor(sent, lane);
  if (sent.role === 'assistant') {
    sent = audioFor(sent, lane);
    const calls = sent.tool_calls && each<NonNullable<Assistant['tool_calls']>[number]>(sent.tool_calls, (call) => fieldsFor(call, lane));
    if (calls && calls !== sent.tool_calls) sent = { ...sent, tool_calls: [...calls] };
  }
  if (!Array.isArray(sent.content)) return sent;
  const parts = each<object>(sent.content, (part) => fieldsFor(part, lane));
  return parts === sent.content ? sent : ({ ...sent, content: parts } as ChatMessage);
};

export const messagesFor = (messages: readonly ChatMessage[], lane: LaneCapabilities): readonly ChatMessage[] => each(messages, (message) => messageFor(message, lane));

export const toolsFor = (tools: NonNullable<ChatCompletionRequest['tools']>, lane: LaneCapabilities): readonly object[] =>
  each<object>(tools, (tool) => fieldsFor(tool, lane));
