/**
 * The two shapes of an answer, one from the other: a vendor may send a whole body to a request for a stream, and a stream to
 * a request for a body. Pure.
 */
import { type Fields, isFields } from '@kilotoken/contracts';
import type { StreamChunk } from './chunk-frame.js';

const objectOf = { 'chat.completion': 'chat.completion.chunk', 'chat.completion.chunk': 'chat.completion' } as const;

/** `chat.completion` for `chat.completion.chunk` and the reverse; legacy completions have one name for both. */
const otherObject = (object: unknown): unknown => (typeof object === 'string' && object in objectOf ? objectOf[object as keyof typeof objectOf] : object);

/** Calls of a delta have an index each, those of a message stand in their order. */
const withIndex = (calls: readonly unknown[]): unknown[] => calls.map((call, index) => (isFields(call) ? { index, ...call } : call));

const deltaOf = (message: unknown): unknown => {
  if (!isFields(message) || !Array.isArray(message['tool_calls'])) return message;
  return { ...message, tool_calls: withIndex(message['tool_calls'] as unknown[]) };
};

/** A body as the one chunk of a stream. */
export const chunkOfAnswer = (answer: Fields): StreamChunk => {
  const { choices } = answer;
  if (!Array.isArray(choices)) return answer;
  return {
    ...answer,
    object: otherObject(answer['object']),
    choices: (choices as unknown[]).map((choice) => {
      if (!isFields(choice) || !('message' in choice)) return choice;
      const { message, ...rest } = choice;
      return { ...rest, delta: deltaOf(message) };
    }),
  };
};

/** Fields that vendors repeat with each delta; every other text grows by each delta. */
const repeated: ReadonlySet<string> = new Set(['role', 'id', 'type', 'index', 'format', 'signature']);

const addTo = (target: Fields, delta: Fields): void => {
  for (const [name, value] of Object.entries(delta)) {
    const known = target[name];
    if (value === null || value === undefined) target[name] ??= value;
    else if (name === 'tool_calls' && Array.isArray(value)) target[name] = addCalls(Array.isArray(known) ? known : [], value as unknown[]);
    else if (typeof value === 'string' && typeof known === 'string' && !repeated.has(name)) target[name] = known + value;
    else if (Array.isArray(value) && Array.isArray(known)) known.push(...(value as unknown[]));
    else if (isFields(value) && isFields(known)) addTo(known, value);
    else target[name] = isFields(value) ? { ...value } : Array.isArray(value) ? [...(value as unknown[])] : value;
  }
};

const callsMax = 1_024;

const addCalls = (calls: unknown[], added: readonly unknown[]): unknown[] => {
  for (const call of added) {
    if (!isFields(call)) continue;
    const { index, ...fields } = call;
    const at = typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 && index < callsMax ? index : calls.length;
    const known = calls[at];
    if (isFields(known)) addTo(known, fields);
    else addTo((calls[at] = {} as Fields), fields);
  }
  return calls;
};

/** The chunks of a stream as one body; null where no chunk has choices. */
export const answerOfChunks = (chunks: readonly StreamChunk[]): Fields | null => {
  const answer: Fields = {};
  const choices = new Map<unknown, Fields>();
  for (const { choices: list, ...fields } of chunks) {
    for (const [name, value] of Object.entries(fields)) if (value !== null || !(name in answer)) answer[name] = value;
    if (!Array.isArray(list)) continue;
    for (const choice of list as unknown[]) if (isFields(choice)) addChoice(choices, choice);
  }
  if (choices.size === 0) return null;
  answer['object'] = otherObject(answer['object']);
  // An index that was never used leaves a hole in a list of calls.
  for (const { message } of choices.values()) if (isFields(message) && Array.isArray(message['tool_calls'])) message['tool_calls'] = message['tool_calls'].filter(isFields);
  answer['choices'] = [...choices.values()];
  return answer;
};

const addChoice = (choices: Map<unknown, Fields>, { delta, message, text, ...fields }: Fields): void => {
  const index = fields['index'] ?? 0;
  const choice = choices.get(index) ?? { index };
  choices.set(index, choice);
  const said = delta ?? message;
  if (isFields(said)) addTo((choice['message'] ??= { role: 'assistant', content: null }) as Fields, said);
  if (typeof text === 'string') choice['text'] = (typeof choice['text'] === 'string' ? choice['text'] : '') + text;
  for (const [name, value] of Object.entries(fields)) if (value !== null || !(name in choice)) choice[name] = value;
};
