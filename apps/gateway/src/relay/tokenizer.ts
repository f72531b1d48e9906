import type { ChatCompletionRequest, CompletionRequest, TokenCounts } from '@kilotoken/contracts';

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
const pieceLength = 16_384;

export const countTokens = (tokenizer: string, text: string): number => {
  const count = counters.get(tokenizer) ?? counters.get(fallbackTokenizer);
  if (!count) throw new Error('the tokenizers are not loaded');
  let tokens = 0;
  for (let start = 0; start < text.length; start += pieceLength) tokens += count(text.slice(start, start + pieceLength));
  return tokens;
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

/** Prompt and answer, both counted here; at most the bounds that the hold was made for. */
export const estimateCounts = (tokenizer: string, request: ChatCompletionRequest | CompletionRequest, forwarded: string, promptTokensMax: bigint): TokenCounts => {
  const prompt = countTokens(tokenizer, promptTextOf(request));
  return { input: Math.min(prompt, Number(promptTokensMax)), output: countTokens(tokenizer, forwarded) };
};
