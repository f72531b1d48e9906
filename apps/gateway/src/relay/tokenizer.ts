import type { ChatCompletionRequest, CompletionRequest, TokenCounts } from '@kilotoken/contracts';
import type { ReadRequest } from '../intake/read-request.js';

/**
 * Counts of tokens that a vendor did not give, by the lane's tokenizer over what was sent and what was forwarded. Such
 * counts are marked `estimated` wherever they are shown.
 */
export type CountTokens = (text: string) => number;

const loaders: Readonly<Record<string, () => Promise<{ countTokens: (text: string, options: { allowedSpecial: 'all' }) => number }>>> = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
  p50k_base: () => import('gpt-tokenizer/encoding/p50k_base'),
  r50k_base: () => import('gpt-tokenizer/encoding/r50k_base'),
};

const fallbackTokenizer = 'o200k_base';
const counters = new Map<string, CountTokens>();

/** A tokenizer takes some megabytes and tens of milliseconds to load: those that lanes name are loaded before they are used. */
export const loadTokenizers = async (names: Iterable<string>): Promise<void> => {
  for (const name of new Set([fallbackTokenizer, ...names])) {
    const load = loaders[name];
    if (!load || counters.has(name)) continue;
    const { countTokens } = await load();
    // Text that looks like a control token is text here: it was typed by somebody.
    counters.set(name, (text) => countTokens(text, { allowedSpecial: 'all' }));
  }
};

/** Text longer than this is counted by its pieces: a tokenizer is linear only in ordinary text. */
const pieceLength = 4_096;
/** Counting must not hold up every other request: of a longer text this much is counted and the rest taken to be like it, rounded down. */
const countedLengthMax = 262_144;

export const countTokens = (tokenizer: string, text: string): number => {
  const count = counters.get(tokenizer) ?? counters.get(fallbackTokenizer);
  if (!count) throw new Error('the tokenizers are not loaded');
  const length = Math.min(text.length, countedLengthMax);
  let tokens = 0;
  for (let start = 0; start < length; start += pieceLength) tokens += count(text.slice(start, Math.min(start + pieceLength, length)));
  return length === text.length ? tokens : Math.floor((tokens * text.length) / length);
};

const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part.text === 'string' ? part.text : '')).join('\n');
};

/** The prompt's text without its template. */
const promptTextOf = (request: ChatCompletionRequest | CompletionRequest): string => {
  if (!('messages' in request)) return typeof request.prompt === 'string' ? request.prompt : request.prompt.join('\n');
  return request.messages.map((message) => textOf(message.content)).join('\n');
};

/** A prompt is counted once, however often its request is checkpointed. */
const promptCounts = new WeakMap<object, number>();

const countPrompt = (tokenizer: string, request: ChatCompletionRequest | CompletionRequest): number => {
  const known = promptCounts.get(request);
  if (known !== undefined) return known;
  const tokens = countTokens(tokenizer, promptTextOf(request));
  promptCounts.set(request, tokens);
  return tokens;
};

/** English text has some four bytes a token: what is estimated of a prompt that is too large to count here. */
const bytesPerToken = 4;

/** Prompt and answer, both counted here; the prompt at most at the bound that the hold was made for. */
export const estimateCounts = (tokenizer: string, request: ReadRequest, outputTokens: number, promptTokensMax: bigint): TokenCounts => ({
  input: Math.min(request.whole === null ? Math.ceil(request.raw.raw.byteLength / bytesPerToken) : countPrompt(tokenizer, request.whole), Number(promptTokensMax)),
  output: outputTokens,
});
