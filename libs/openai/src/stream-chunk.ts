import { type Fields, isFields } from '@kilotoken/contracts';

/**
 * The state of a chat or legacy completion after its chunks so far: which choices began, which have a finish reason, and the
 * generated text (for counts that the vendor does not give). The same code reads the body of a JSON answer, whose
 * choices have a `message` in place of a `delta`.
 *
 * A finish reason closes a choice, and the last one counts: vendors exist that put `stop` into every chunk. Chunks come from
 * strangers: a field of the wrong type is reported, and the rest of the chunk still counts.
 */
export type StreamState = {
  /** How many choices were asked for: prompts × n. */
  readonly choices: number;
  /** The last finish reason of each choice. */
  readonly finishReasons: Map<number, string>;
  /** Choices that generated something or have a finish reason. */
  readonly begun: Set<number>;
  /** What was generated since it was last taken, by choice: no token reaches from one choice into another. */
  kept: Map<number, GeneratedText>;
  /** The length of all that is kept, at most `textLengthMax`. */
  keptLength: number;
  /** The length of all that was generated, without that bound. */
  generatedLength: number;
  /** The length of the sound that was generated, in base64. */
  audioLength: number;
  readonly textLengthMax: number;
};

/** Content, refusals, transcripts and calls are text. */
export interface GeneratedText {
  text: string;
  reasoning: string;
}

export type ChunkObservation =
  /** `generates`: some choice said something. `finishes`: some choice has a finish reason in it. */
  | { readonly kind: 'chunk'; readonly generates: boolean; readonly finishes: boolean; readonly fault: string | null }
  /** The vendor's error in the middle of its answer; `error` is the object that says it. */
  | { readonly kind: 'error'; readonly error: Fields };

const finishReasonLengthMax = 32;
/** Gateways of vendors send this in place of a finish reason when their own vendor failed. */
const failedReason = 'error';
/** In place of a reason without a letter. */
const unnamedReason = 'stop';

export const createStreamState = (choices: number, textLengthMax = 16 * 1024 * 1024): StreamState => ({
  choices,
  finishReasons: new Map(),
  begun: new Set(),
  kept: new Map(),
  keptLength: 0,
  generatedLength: 0,
  audioLength: 0,
  textLengthMax,
});

/** Takes what is kept out of the state. */
export const takeGenerated = (state: StreamState): ReadonlyMap<number, GeneratedText> => {
  const { kept } = state;
  state.kept = new Map();
  state.keptLength = 0;
  return kept;
};

/** All choices that were asked for have a finish reason: nothing more has to come. */
export const isFinished = ({ finishReasons, choices }: StreamState): boolean => finishReasons.size >= choices;

/** All choices that began have a finish reason. A vendor that ignores `n` gives no more than this. */
export const isAnswered = ({ finishReasons, begun }: StreamState): boolean => begun.size > 0 && finishReasons.size >= begun.size;

export const observeChunk = (state: StreamState, chunk: Fields): ChunkObservation => {
  const error = errorOf(chunk);
  if (error) return { kind: 'error', error };
  const seen: Seen = { generates: false, finishes: false, fault: null, failed: false };
  const { choices } = chunk;
  if (Array.isArray(choices)) for (const choice of choices as unknown[]) observeChoice(state, choice, seen);
  else if (choices !== undefined && choices !== null) seen.fault = 'choices is not an array';
  if (seen.failed) return { kind: 'error', error: { message: "the vendor finished a choice with 'error'" } };
  return { kind: 'chunk', generates: seen.generates, finishes: seen.finishes, fault: seen.fault };
};

interface Seen {
  generates: boolean;
  finishes: boolean;
  fault: string | null;
  failed: boolean;
}

/** `{"error": {…}}` or `{"error": "…"}`, and the older `{"object": "error", "message": …}` of vLLM. */
export const errorOf = (chunk: Fields): Fields | null => {
  const error = chunk['object'] === 'error' ? chunk : chunk['error'];
  if (error === undefined || error === null || error === false || error === '') return null;
  if (!isFields(error)) return { message: error };
  return Object.keys(error).length > 0 ? error : null;
};

/** The finish reason of a choice as it is stored, '' where it has none, null where it is no text. */
const finishReasonOf = (choice: Fields): string | null => {
  const reason = choice['finish_reason'] ?? '';
  if (typeof reason !== 'string') return null;
  return reason === '' ? '' : reason.slice(0, finishReasonLengthMax).replace(/[^\w.-]/g, '') || unnamedReason;
};

/** Text counts even where the index of its choice does not: it was generated. */
const observeChoice = (state: StreamState, choice: unknown, seen: Seen): void => {
  if (!isFields(choice)) return void (seen.fault = 'a choice is not an object');
  const delta = choice['delta'] ?? choice['message'] ?? nothing;
  if (!isFields(delta)) return void (seen.fault = 'the delta of a choice is not an object');
  const reason = finishReasonOf(choice);
  // No reason may reach a client before the charge, whatever its choice and value, because the client may take it for an end.
  if (reason !== '') seen.finishes = true;
  // Of a single choice it does not matter what its vendor calls it.
  const index = state.choices === 1 ? 0 : (choice['index'] ?? 0);
  seen.fault = observeText(state, isIndex(index, state.choices) ? index : 0, choice['text'], delta) ?? seen.fault;
  const generates = saysSomething(choice, delta);
  if (generates) seen.generates = true;
  if (!isIndex(index, state.choices)) return void (seen.fault = 'the index of a choice is out of range');
  if (reason === null) seen.fault = 'a finish_reason is not a text';
  else if (reason === failedReason) seen.failed = true;
  else if (reason !== '') {
    state.finishReasons.set(index, reason);
    state.begun.add(index);
  }
  if (generates) state.begun.add(index);
};

const nothing: Fields = {};

const isIndex = (index: unknown, choices: number): index is number => Number.isSafeInteger(index) && (index as number) >= 0 && (index as number) < choices;

/** Roles, nulls and empty texts: vendors open a stream with them before the model has said anything. */
const isEmpty = (value: unknown): boolean => value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);

/** Whether a choice carries something that was generated. */
const saysSomething = (choice: Fields, delta: Fields): boolean => {
  if (!isEmpty(choice['text'])) return true;
  for (const name in delta) if (name !== 'role' && !isEmpty(delta[name])) return true;
  return false;
};

export interface SplitChoices {
  /** What was generated, without finish reasons; empty where the chunk only finishes choices. */
  readonly generated: readonly Fields[];
  /** The choices that finish, without what was generated. */
  readonly finished: readonly Fields[];
}

/**
 * Splits the choices of a chunk, so that what was generated can leave while finish reasons wait for their charge:
 *
 *   { index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }
 *     → generated { index: 0, delta: { content: 'Hi' }, finish_reason: null }, finished { index: 0, delta: {}, finish_reason: 'stop' }
 */
export const splitChoices = (chunk: Fields): SplitChoices => {
  const generated: Fields[] = [];
  const finished: Fields[] = [];
  for (const choice of chunk['choices'] as unknown[]) {
    if (!isFields(choice)) continue;
    const reason = finishReasonOf(choice);
    const delta = choice['delta'] ?? choice['message'] ?? nothing;
    const generates = isFields(delta) && saysSomething(choice, delta);
    if (reason === '') generated.push(choice);
    else if (reason === null) generated.push({ ...choice, finish_reason: null });
    else if (generates) {
      generated.push({ ...choice, finish_reason: null });
      finished.push({ index: choice['index'] ?? 0, ...('text' in choice ? { text: '' } : { delta: {} }), logprobs: null, finish_reason: reason });
    } else {
      finished.push(choice);
    }
  }
  return { generated, finished };
};

const observeText = (state: StreamState, choice: number, legacyText: unknown, delta: Fields): string | null => {
  const call = delta['function_call'];
  const calls = delta['tool_calls'] ?? [];
  const parts = [
    observePart(state, choice, 'text', legacyText),
    observePart(state, choice, 'text', delta['content']),
    observePart(state, choice, 'text', delta['refusal']),
    // Vendors name it in several ways, some in all of them at once with the same text.
    observePart(state, choice, 'reasoning', delta['reasoning_content'] || delta['reasoning'] || delta['reasoning_details']),
    isFields(delta['audio']) ? observeAudio(state, choice, delta['audio']) : null,
    isFields(call) ? observeCall(state, choice, call) : null,
  ];
  if (!Array.isArray(calls)) return 'tool_calls is not an array';
  for (const toolCall of calls as unknown[]) {
    if (!isFields(toolCall)) return 'a tool call is not an object';
    const called = toolCall['function'] ?? toolCall['custom'];
    if (isFields(called)) parts.push(observeCall(state, choice, called));
  }
  return parts.find((reason) => reason !== null) ?? null;
};

const observeAudio = (state: StreamState, choice: number, { transcript, data }: Fields): string | null => {
  if (typeof data === 'string') state.audioLength += data.length;
  return observePart(state, choice, 'text', transcript);
};

const observeCall = (state: StreamState, choice: number, { name, arguments: parameters, input }: Fields): string | null =>
  observePart(state, choice, 'text', name) ?? observePart(state, choice, 'text', parameters) ?? observePart(state, choice, 'text', input);

type Kind = keyof GeneratedText;

/** A text, or a list of parts as Mistral streams it: `[{ type: 'thinking', thinking: [{ type: 'text', text }] }]`. */
const observePart = (state: StreamState, choice: number, kind: Kind, value: unknown, depth = 0): string | null => {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string') {
    append(state, choice, kind, value);
    return null;
  }
  if (!Array.isArray(value) || depth > 1) return 'a text is not a text';
  for (const part of value as unknown[]) {
    if (!isFields(part)) return 'a part of a text is not an object';
    const reason = observePart(state, choice, kind, part['text'] ?? part['summary'], depth + 1) ?? observePart(state, choice, 'reasoning', part['thinking'], depth + 1);
    if (reason !== null) return reason;
  }
  return null;
};

const append = (state: StreamState, choice: number, kind: Kind, value: string): void => {
  const kept = value.slice(0, Math.max(0, state.textLengthMax - state.keptLength));
  state.generatedLength += value.length;
  state.keptLength += kept.length;
  const generated = state.kept.get(choice);
  if (generated) generated[kind] += kept;
  else state.kept.set(choice, { text: '', reasoning: '', [kind]: kept });
};
