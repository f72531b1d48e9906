/**
 * What a stream has said so far: which choices have ended, what text went by, what usage was given. Pure. Vendors' chunks
 * are hostile input: whatever is not of the expected shape counts for nothing.
 */
export type StreamChunk = Record<string, unknown>;

export interface StreamState {
  /** How many choices the answer has. */
  readonly choices: number;
  readonly finished: Map<number, string>;
  /** All text that was generated, for counts that the vendor does not give. */
  text: string;
  /** How much of the text was counted at checkpoints, and as how many tokens. */
  countedLength: number;
  countedTokens: number;
  /** The last usage, and whether it came with or after the terminal chunk. */
  usage: unknown;
  usageIsFinal: boolean;
  created: number | null;
}

export const createStreamState = (choices: number): StreamState => ({
  choices,
  finished: new Map(),
  text: '',
  countedLength: 0,
  countedTokens: 0,
  usage: null,
  usageIsFinal: false,
  created: null,
});

/** True once the last open choice has its finish reason: from that chunk on nothing leaves before it is billed. */
export const isTerminal = (state: StreamState): boolean => state.finished.size >= state.choices;

export const finishReasonOf = (state: StreamState): string | null => state.finished.values().next().value ?? null;

/** A vendor's `{"error": …}` in the middle of a stream. */
export const isError = (chunk: StreamChunk): boolean => typeof chunk['error'] === 'object' && chunk['error'] !== null;

/** Roles, nulls and empty strings: what vendors open a stream with before the model has said anything. */
const saysNothing = (value: unknown): boolean => value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);

/** Whether a chunk carries something that was generated, an end included. A vendor that fails before it did has served nothing. */
export const isToken = ({ choices }: StreamChunk): boolean =>
  Array.isArray(choices) &&
  choices.some((choice: Choice | null) => {
    if (typeof choice !== 'object' || choice === null) return false;
    if (!saysNothing(choice.text) || !saysNothing(choice.finish_reason)) return true;
    return Object.entries(choice.delta ?? {}).some(([name, value]) => name !== 'role' && !saysNothing(value));
  });

interface Choice {
  readonly index?: unknown;
  readonly text?: unknown;
  readonly finish_reason?: unknown;
  readonly delta?: {
    readonly content?: unknown;
    readonly reasoning_content?: unknown;
    readonly reasoning?: unknown;
    readonly refusal?: unknown;
    readonly tool_calls?: unknown;
    readonly function_call?: unknown;
  } | null;
}

const append = (state: StreamState, part: unknown): void => {
  if (typeof part === 'string') state.text += part;
};

const appendCall = (state: StreamState, call: unknown): void => {
  if (typeof call !== 'object' || call === null) return;
  const { name, arguments: parameters } = call as { name?: unknown; arguments?: unknown };
  append(state, name);
  append(state, parameters);
};

const observeChoice = (state: StreamState, choice: Choice): void => {
  const { delta } = choice;
  append(state, choice.text);
  if (delta) {
    append(state, delta.content);
    append(state, delta.reasoning_content ?? delta.reasoning);
    append(state, delta.refusal);
    appendCall(state, delta.function_call);
    if (Array.isArray(delta.tool_calls)) for (const call of delta.tool_calls) appendCall(state, (call as { function?: unknown } | null)?.function);
  }
  const reason = choice.finish_reason;
  const index = choice.index ?? 0;
  if (typeof reason === 'string' && reason !== '' && Number.isSafeInteger(index) && (index as number) >= 0 && (index as number) < state.choices) {
    state.finished.set(index as number, reason.slice(0, 32).replace(/[^\w.-]/g, ''));
  }
};

/** Takes one chunk into account. Answers whether it says anything to a client: one with usage alone does not. */
export const observe = (state: StreamState, chunk: StreamChunk): boolean => {
  const { choices, usage, created } = chunk;
  if (Number.isSafeInteger(created)) state.created ??= created as number;
  if (Array.isArray(choices)) {
    for (const choice of choices) if (typeof choice === 'object' && choice !== null) observeChoice(state, choice as Choice);
  }
  if (usage !== undefined && usage !== null) {
    // Cumulative or repeated, the last one stands: adding them up would bill a token twice.
    state.usage = usage;
    state.usageIsFinal = isTerminal(state);
  }
  return Array.isArray(choices) && choices.length > 0;
};
