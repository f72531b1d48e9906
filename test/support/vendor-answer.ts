import type { VendorRequest } from './vendor-contract.js';
import type { UsageShape, VendorScript } from './vendor-script.js';

/**
 * What the stand-in answers, by a rule that a test can compute in its head:
 *
 * - a prompt has ⌈UTF-8 bytes of its text ÷ 4⌉ tokens;
 * - every content chunk is one token, and its text is one token of `o200k_base` too, so a count by that tokenizer over
 *   any run of chunks equals their number;
 * - a choice has `outputTokens` tokens (5 unless the script says otherwise), cut by `max_tokens`.
 */

export const OUTPUT_TOKENS_DEFAULT = 5;
const WORDS = [' time', ' year', ' people', ' way', ' day', ' man', ' thing', ' woman', ' life', ' child', ' world', ' school', ' state', ' family', ' student', ' group'];

export const wordAt = (index: number): string => WORDS[index % WORDS.length]!;

export const countPromptTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);

export interface VendorAnswer {
  id: string;
  /** Tokens of each choice. */
  tokensPerChoice: number;
  choices: number;
  finishReason: 'stop' | 'length';
  promptTokens: number;
  completionTokens: number;
}

export function planAnswer(id: string, request: VendorRequest, script: VendorScript): VendorAnswer {
  const wanted = script.outputTokens ?? OUTPUT_TOKENS_DEFAULT;
  const tokensPerChoice = Math.min(wanted, request.maxTokens ?? Infinity);
  const choices = request.choices * request.prompts.length;
  return {
    id,
    tokensPerChoice,
    choices,
    finishReason: tokensPerChoice < wanted ? 'length' : 'stop',
    promptTokens: script.promptTokens ?? request.prompts.reduce((sum, text) => sum + countPromptTokens(text), 0),
    completionTokens: tokensPerChoice * choices,
  };
}

export type UsageBody = Record<string, unknown>;

/** The usage object as the script has it, or undefined for none. `completionTokens` is what was served so far. */
export function usageOf(answer: VendorAnswer, completionTokens: number, script: VendorScript): UsageBody | null | undefined {
  const shape: UsageShape = script.usage ?? 'extra_chunk';
  if (shape === 'omit') return undefined;
  if (shape === 'null') return null;
  const told = (tokens: number): unknown => distort(shape, tokens);
  const cached = shape === 'cached_above_prompt' ? answer.promptTokens + 7 : (script.cachedTokens ?? 0);
  return {
    prompt_tokens: shape === 'zero' || shape === 'huge' ? told(answer.promptTokens) : answer.promptTokens,
    completion_tokens: told(completionTokens),
    total_tokens: shape === 'zero' ? 0 : answer.promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: script.reasoningTokens ?? 0 },
  };
}

function distort(shape: UsageShape, tokens: number): unknown {
  switch (shape) {
    case 'zero':
      return 0;
    case 'negative':
      return -tokens;
    case 'fraction':
      return tokens + 0.5;
    case 'text':
      return String(tokens);
    case 'inflated':
      return tokens * 1_000;
    case 'huge':
      return 2 ** 63;
    default:
      return tokens;
  }
}

const envelope = (answer: VendorAnswer, request: VendorRequest, object: string): UsageBody => ({
  id: answer.id,
  object,
  created: 1_750_000_000,
  model: request.model,
});

/** The whole answer of a request that does not stream. */
export function jsonBody(answer: VendorAnswer, request: VendorRequest, script: VendorScript): UsageBody {
  const text = Array.from({ length: answer.tokensPerChoice }, (_, index) => wordAt(index)).join('');
  const choices = Array.from({ length: answer.choices }, (_, index) =>
    request.operation === 'chat'
      ? { index, message: { role: 'assistant', content: text, refusal: null }, logprobs: null, finish_reason: answer.finishReason }
      : { index, text, logprobs: null, finish_reason: answer.finishReason },
  );
  const usage = usageOf(answer, answer.completionTokens, script);
  const object = request.operation === 'chat' ? 'chat.completion' : 'text_completion';
  return { ...envelope(answer, request, object), choices, ...(usage === undefined ? {} : { usage }) };
}

export interface StreamEvent {
  body: UsageBody;
  /** Tokens that this event carries. */
  tokens: number;
}

/** The events of a stream before [DONE], in order; the choices take turns token by token. */
export function* streamEvents(answer: VendorAnswer, request: VendorRequest, script: VendorScript): Generator<StreamEvent> {
  const object = request.operation === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  const shape = script.usage ?? 'extra_chunk';
  let served = 0;
  const event = (index: number, text: string | null, finishReason: string | null, isLast = false): StreamEvent => {
    const delta = text === null ? {} : { content: text };
    const choice = request.operation === 'chat' ? { index, delta, logprobs: null, finish_reason: finishReason } : { index, text: text ?? '', logprobs: null, finish_reason: finishReason };
    const carriesUsage = shape === 'every_chunk' || (isLast && shape === 'in_last_chunk');
    return {
      body: { ...envelope(answer, request, object), choices: [choice], usage: carriesUsage ? usageOf(answer, served, script) : null },
      tokens: text ? 1 : 0,
    };
  };
  if (request.operation === 'chat') {
    for (let index = 0; index < answer.choices; index += 1) {
      yield { body: { ...envelope(answer, request, object), choices: [{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }], usage: null }, tokens: 0 };
    }
  }
  for (let token = 0; token < answer.tokensPerChoice; token += 1) {
    for (let index = 0; index < answer.choices; index += 1) {
      served += 1;
      yield event(index, wordAt(token), null);
    }
  }
  for (let index = 0; index < answer.choices; index += 1) {
    yield event(index, null, answer.finishReason, index === answer.choices - 1);
    if (script.finishReasonTwice) yield event(index, null, answer.finishReason);
  }
  const usage = usageOf(answer, served, script);
  if (usage === undefined || shape === 'in_last_chunk' || shape === 'every_chunk') return;
  const usageChunk = { body: { ...envelope(answer, request, object), choices: [], usage }, tokens: 0 };
  yield usageChunk;
  if (shape === 'twice') yield usageChunk;
}
