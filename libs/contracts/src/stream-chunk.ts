/**
 * What a stream of a chat or legacy completion has said so far, chunk by chunk: which choices are finished, what text
 * went by (for counts that the vendor does not give), which usage stands. The same reads the body of a JSON answer, whose
 * choices have a `message` in place of a `delta`.
 *
 * The terminal chunk is the one that finishes the last open choice: from it on nothing may leave before it is billed. A
 * chunk is a stranger's: whatever has not the expected type is reported, and what can be read of it still counts.
 */
export type StreamState = {
  /** How many choices the answer has: prompts × n. */
  readonly choices: number;
  readonly finishReasons: Map<number, string>;
  /** What was generated: content, refusals and calls in `text`, thoughts in `reasoning`. Neither grows beyond the bound. */
  text: string;
  reasoning: string;
  /** The length of both together, beyond the bound too. */
  generatedLength: number;
  readonly textLengthMax: number;
  /** The last usage that was not null. Repeated or cumulative, the last one stands: adding up would bill tokens twice. */
  usage: unknown;
  /** Whether it came with or after the terminal chunk, so that it is about the whole answer. */
  usageIsFinal: boolean;
};

export type ChunkObservation =
  /** A part of the answer while choices are open. */
  | { readonly kind: 'content' }
  /** It finished the last open choice. */
  | { readonly kind: 'terminal' }
  /** It came after the terminal chunk: usage, or what a client does not need. */
  | { readonly kind: 'trailing' }
  /** It has no choices: usage reports, keep-alives, content filters. */
  | { readonly kind: 'aside' }
  /** The vendor's error in the middle of its stream. */
  | { readonly kind: 'error'; readonly message: string; readonly code: string | null }
  | { readonly kind: 'malformed'; readonly reason: string };

const messageLengthMax = 500;
const finishReasonLengthMax = 32;

export const createStreamState = (choices: number, textLengthMax = 16 * 1024 * 1024): StreamState => ({
  choices,
  finishReasons: new Map(),
  text: '',
  reasoning: '',
  generatedLength: 0,
  textLengthMax,
  usage: null,
  usageIsFinal: false,
});

export const isFinished = (state: StreamState): boolean => state.finishReasons.size >= state.choices;

export const observeChunk = (state: StreamState, chunk: unknown): ChunkObservation => {
  if (!isObject(chunk)) return { kind: 'malformed', reason: 'the chunk is not an object' };
  const error = errorOf(chunk);
  if (error) return error;
  const wasFinished = isFinished(state);
  const { choices, usage } = chunk;
  let reason: string | null = null;
  if (Array.isArray(choices)) for (const choice of choices) reason = observeChoice(state, choice) ?? reason;
  else if (choices !== undefined && choices !== null) reason = 'choices is not an array';
  if (usage !== undefined && usage !== null) {
    state.usage = usage;
    state.usageIsFinal = isFinished(state);
  }
  if (reason !== null) return { kind: 'malformed', reason };
  if (wasFinished) return { kind: 'trailing' };
  if (isFinished(state)) return { kind: 'terminal' };
  return { kind: Array.isArray(choices) && choices.length > 0 ? 'content' : 'aside' };
};

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{"error": {…}}` or `{"error": "…"}`, and the older `{"object": "error", "message": …}` of vLLM. */
const errorOf = (chunk: Fields): ChunkObservation | null => {
  const error = chunk['object'] === 'error' ? chunk : chunk['error'];
  if (error === undefined || error === null || error === false) return null;
  const fields: Fields = isObject(error) ? error : { message: error };
  const { message, code } = fields;
  return {
    kind: 'error',
    message: typeof message === 'string' ? message.slice(0, messageLengthMax) : 'the vendor ended its stream with an error',
    code: typeof code === 'string' || typeof code === 'number' ? String(code).slice(0, messageLengthMax) : null,
  };
};

/** What is wrong with the choice, or null. Its text counts even where its index does not. */
const observeChoice = (state: StreamState, choice: unknown): string | null => {
  if (!isObject(choice)) return 'a choice is not an object';
  const delta = choice['delta'] ?? choice['message'] ?? {};
  if (!isObject(delta)) return 'the delta of a choice is not an object';
  const textReason = observeText(state, choice['text'], delta);
  const index = choice['index'] ?? 0;
  const finishReason = choice['finish_reason'] ?? '';
  if (!Number.isSafeInteger(index) || (index as number) < 0 || (index as number) >= state.choices) return 'the index of a choice is out of range';
  if (typeof finishReason !== 'string') return 'a finish_reason is not a text';
  // The first reason stands: a vendor that repeats itself does not reopen a choice.
  if (finishReason !== '' && !state.finishReasons.has(index as number)) {
    state.finishReasons.set(index as number, finishReason.slice(0, finishReasonLengthMax).replace(/[^\w.-]/g, ''));
  }
  return textReason;
};

const observeText = (state: StreamState, legacyText: unknown, delta: Fields): string | null => {
  const call = delta['function_call'];
  const calls = delta['tool_calls'] ?? [];
  const parts = [
    observePart(state, 'text', legacyText),
    observePart(state, 'text', delta['content']),
    observePart(state, 'text', delta['refusal']),
    // Vendors name it either way, some both at once with the same text.
    observePart(state, 'reasoning', delta['reasoning_content'] ?? delta['reasoning']),
    isObject(call) ? observeCall(state, call) : null,
  ];
  if (!Array.isArray(calls)) return 'tool_calls is not an array';
  for (const toolCall of calls as unknown[]) {
    if (!isObject(toolCall)) return 'a tool call is not an object';
    const called = toolCall['function'] ?? toolCall['custom'];
    if (isObject(called)) parts.push(observeCall(state, called));
  }
  return parts.find((reason) => reason !== null) ?? null;
};

const observeCall = (state: StreamState, { name, arguments: parameters, input }: Fields): string | null =>
  observePart(state, 'text', name) ?? observePart(state, 'text', parameters) ?? observePart(state, 'text', input);

/** A text, or a list of parts as Mistral streams it: `[{ type: 'thinking', thinking: [{ type: 'text', text }] }]`. */
const observePart = (state: StreamState, kind: 'text' | 'reasoning', value: unknown, depth = 0): string | null => {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string') {
    append(state, kind, value);
    return null;
  }
  if (!Array.isArray(value) || depth > 1) return 'a text is not a text';
  for (const part of value as unknown[]) {
    if (!isObject(part)) return 'a part of a text is not an object';
    const reason = observePart(state, kind, part['text'], depth + 1) ?? observePart(state, 'reasoning', part['thinking'], depth + 1);
    if (reason !== null) return reason;
  }
  return null;
};

const append = (state: StreamState, kind: 'text' | 'reasoning', value: string): void => {
  const left = Math.max(0, state.textLengthMax - state.text.length - state.reasoning.length);
  state.generatedLength += value.length;
  state[kind] += value.length <= left ? value : value.slice(0, left);
};
