/**
 * The names under which vendors count tokens, and what each of them counts. One table for all formats, since gateways mix
 * them: OpenAI's chat and Responses, Anthropic's, Gemini's and Bedrock's, and what resellers add to them.
 */

/** The meaning of a field, before it is known which count includes which. */
export type CountName =
  | 'prompt' | 'completion' | 'total'
  | 'cached' | 'written' | 'writtenHour' | 'writtenFiveMinutes'
  | 'toolPrompt' | 'audioIn' | 'imageIn' | 'reasoning' | 'audioOut' | 'imageOut';

/** A count of the vendor, or an object of further fields. */
export type UsageField =
  | { readonly count: CountName; readonly apart?: 'cache' | 'reasoning' }
  | { readonly fields: ReadonlyMap<string, UsageField> };

const counts = (count: CountName, ...names: string[]): [string, UsageField][] => names.map((name) => [name, { count }]);
/** Counts that their own format defines as standing beside the total, not within it. */
const apart = (count: CountName, beside: 'cache' | 'reasoning', ...names: string[]): [string, UsageField][] => names.map((name) => [name, { count, apart: beside }]);
const objects = (fields: [string, UsageField][], ...names: string[]): [string, UsageField][] => names.map((name) => [name, { fields: new Map(fields) }]);

const cacheLifetimes = [...counts('writtenHour', 'ephemeral_1h_input_tokens'), ...counts('writtenFiveMinutes', 'ephemeral_5m_input_tokens')];

const promptDetails = [
  ...counts('cached', 'cached_tokens'),
  ...counts('written', 'cache_write_tokens', 'cache_creation_tokens', 'cache_creation_input_tokens'),
  // new-api passes Anthropic's counts on under this name, beside a `prompt_tokens` that does not include them.
  ...apart('written', 'cache', 'cached_creation_tokens'),
  ...counts('audioIn', 'audio_tokens'),
  ...counts('imageIn', 'image_tokens'),
  ...objects(cacheLifetimes, 'cache_creation', 'cache_creation_token_details'),
];
const completionDetails = [...counts('reasoning', 'reasoning_tokens', 'thinking_tokens'), ...counts('audioOut', 'audio_tokens'), ...counts('imageOut', 'image_tokens')];

/**
 * Left out on purpose: Mistral's `num_cached_tokens` counts what its engine reused, which that vendor does not discount;
 * video tokens have no class and stay in the input; predicted tokens, accepted or not, stay in the output.
 */
export const usageFields: ReadonlyMap<string, UsageField> = new Map([
  ...counts('prompt', 'prompt_tokens', 'input_tokens', 'promptTokenCount', 'inputTokens'),
  ...counts('completion', 'completion_tokens', 'output_tokens', 'candidatesTokenCount', 'outputTokens'),
  ...counts('total', 'total_tokens', 'totalTokenCount', 'totalTokens'),
  ...counts('cached', 'cached_tokens', 'prompt_cache_hit_tokens', 'cachedContentTokenCount'),
  ...apart('cached', 'cache', 'cache_read_input_tokens', 'cacheReadInputTokens', 'cacheReadInputTokenCount'),
  ...apart('written', 'cache', 'cache_creation_input_tokens', 'cacheWriteInputTokens', 'cacheWriteInputTokenCount'),
  ...counts('writtenHour', 'claude_cache_creation_1_h_tokens'),
  ...counts('writtenFiveMinutes', 'claude_cache_creation_5_m_tokens'),
  ...counts('reasoning', 'reasoning_tokens'),
  ...apart('reasoning', 'reasoning', 'thoughtsTokenCount'),
  ...counts('toolPrompt', 'toolUsePromptTokenCount'),
  ...objects(promptDetails, 'prompt_tokens_details', 'input_tokens_details'),
  ...objects(completionDetails, 'completion_tokens_details', 'output_tokens_details'),
  ...objects(cacheLifetimes, 'cache_creation'),
]);

/** Anthropic's and Bedrock's names of a prompt that does not include the cache, unless one of the others stands beside it. */
export const promptsWithoutCache: ReadonlySet<string> = new Set(['input_tokens', 'inputTokens']);
export const promptsWithCache: ReadonlySet<string> = new Set(['prompt_tokens', 'promptTokenCount', 'input_tokens_details']);
