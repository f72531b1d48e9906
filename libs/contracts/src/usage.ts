import type { TokenCounts } from './tokens.js';

/**
 * Reads the `usage` of a chat or legacy completion into our disjoint classes. In OpenAI's format a total includes its
 * details: `prompt_tokens` the cached, written and audio tokens, `completion_tokens` the reasoning and audio tokens.
 *
 *   { prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 64 }, completion_tokens: 9 }
 *     → { input: 36, cached_read: 64, output: 9 }
 *
 * The rules, each against a way in which systems like this one were seen to bill wrongly:
 *
 * - A count is a safe integer ≥ 0, or the whole usage is invalid. Zero is zero; only null and absent are missing.
 * - Details may overlap (a cached token may be one of an image). Each class, in the order below, takes what it says but no
 *   more than is left of the total, and the rest is plain input or output. So no token counts twice, nothing is negative,
 *   and the classes always add up to the total. Cached comes first: that is what the vendor bills such a token as.
 * - A single detail above its total cannot be, and is invalid; unless `total_tokens` shows that this vendor counts it
 *   beside the total (xAI's reasoning, some gateways' cache), and then the total is raised by it.
 * - Video tokens have no class of their own and stay in `input`; predicted tokens, accepted or not, stay in `output`.
 */
export type UsageReading = { readonly counts: TokenCounts } | { readonly missing: true } | { readonly invalid: string };

type Fields = Record<string, unknown>;

/** A count that cannot be. Thrown and caught in this file alone. */
class ImpossibleCount extends Error {}

export const readOpenAiUsage = (usage: unknown): UsageReading => {
  if (usage === null || usage === undefined) return { missing: true };
  if (typeof usage !== 'object' || Array.isArray(usage)) return { invalid: 'usage is not an object' };
  const fields = usage as Fields;
  if (isAbsent(fields['prompt_tokens']) && isAbsent(fields['completion_tokens'])) return { missing: true };
  try {
    return { counts: countsOf(fields) };
  } catch (error) {
    if (error instanceof ImpossibleCount) return { invalid: error.message };
    throw error;
  }
};

const countsOf = (usage: Fields): TokenCounts => {
  const prompt = detailsOf(usage, 'prompt_tokens_details');
  const completion = detailsOf(usage, 'completion_tokens_details');
  // DeepSeek, Moonshot and Anthropic-shaped gateways say on top what OpenAI says in the details. Mistral's `num_cached_tokens`
  // is left alone: it counts what its engine reused, which that vendor does not discount.
  // The largest of what several fields say of one thing, here and below: a vendor that fills two of them may leave one at zero.
  const cached = Math.max(
    countAt(prompt, 'cached_tokens'),
    countAt(usage, 'cached_tokens'),
    countAt(usage, 'prompt_cache_hit_tokens'),
    countAt(usage, 'cache_read_input_tokens'),
  );
  const written = cacheWrites(usage, prompt);
  const reasoning = Math.max(countAt(completion, 'reasoning_tokens'), countAt(usage, 'reasoning_tokens'));
  const totals = totalsOf(usage, cached + written.all, reasoning);

  const counts: TokenCounts = {};
  const fromPrompt = taker(counts, totals.prompt, 'prompt_tokens');
  fromPrompt('cached_read', cached);
  fromPrompt('cache_write_1h', written.hour);
  fromPrompt('cache_write_5m', written.all - written.hour);
  fromPrompt('audio_in', countAt(prompt, 'audio_tokens'));
  fromPrompt('image_in', countAt(prompt, 'image_tokens'));
  counts.input = fromPrompt.rest();

  const fromCompletion = taker(counts, totals.completion, 'completion_tokens');
  fromCompletion('reasoning', reasoning);
  fromCompletion('audio_out', countAt(completion, 'audio_tokens'));
  fromCompletion('image_out', countAt(completion, 'image_tokens'));
  counts.output = fromCompletion.rest();
  return counts;
};

/** Tokens written to a cache, and those of them that stay an hour. All other lifetimes are priced as five minutes. */
const cacheWrites = (usage: Fields, prompt: Fields): { all: number; hour: number } => {
  const byLifetime = [detailsOf(usage, 'cache_creation'), detailsOf(prompt, 'cache_creation'), detailsOf(prompt, 'cache_creation_token_details')];
  let [hour, fiveMinutes] = [0, 0];
  for (const details of byLifetime) {
    hour = Math.max(hour, countAt(details, 'ephemeral_1h_input_tokens'));
    fiveMinutes = Math.max(fiveMinutes, countAt(details, 'ephemeral_5m_input_tokens'));
  }
  const said = Math.max(
    countAt(prompt, 'cache_write_tokens'),
    countAt(prompt, 'cache_creation_tokens'),
    countAt(prompt, 'cached_creation_tokens'),
    countAt(prompt, 'cache_creation_input_tokens'),
    countAt(usage, 'cache_creation_input_tokens'),
  );
  return { all: Math.max(said, hour + fiveMinutes), hour };
};

/** The totals with everything inside, whichever of it the vendor counts beside them. */
const totalsOf = (usage: Fields, cache: number, reasoning: number): { prompt: number; completion: number } => {
  let prompt = isAbsent(usage['prompt_tokens']) ? null : countAt(usage, 'prompt_tokens');
  let completion = isAbsent(usage['completion_tokens']) ? null : countAt(usage, 'completion_tokens');
  const total = isAbsent(usage['total_tokens']) ? null : countAt(usage, 'total_tokens');
  // One of the two may be left out where it is zero; the total tells.
  if (prompt === null) prompt = difference(total, completion, 'prompt_tokens');
  if (completion === null) completion = difference(total, prompt, 'completion_tokens');
  const beside = total === null ? 0 : total - prompt - completion;
  if (beside > 0) {
    if (beside === reasoning) completion += reasoning;
    else if (beside === cache) prompt += cache;
    else if (beside === cache + reasoning) {
      prompt += cache;
      completion += reasoning;
    }
    // Any other difference has no name (Gemini's hidden thoughts): what is not itemized is not billed.
  }
  return { prompt: safe(prompt, 'prompt_tokens'), completion: safe(completion, 'completion_tokens') };
};

const difference = (total: number | null, other: number | null, name: string): number => {
  if (total === null || other === null || total < other) throw new ImpossibleCount(`${name} is missing`);
  return total - other;
};

/** Gives classes their tokens out of one total, until nothing is left of it. */
const taker = (counts: TokenCounts, total: number, name: string) => {
  let left = total;
  const take = (tokenClass: keyof TokenCounts, said: number): void => {
    if (said > total) throw new ImpossibleCount(`${tokenClass} is ${said}, which is more than the ${total} of ${name}`);
    const taken = Math.min(said, left);
    left -= taken;
    if (taken > 0) counts[tokenClass] = taken;
  };
  return Object.assign(take, { rest: () => left });
};

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined;

const nothing: Fields = {};

const detailsOf = (fields: Fields, name: string): Fields => {
  const details = fields[name];
  if (isAbsent(details)) return nothing;
  if (typeof details !== 'object' || Array.isArray(details)) throw new ImpossibleCount(`${name} is not an object`);
  return details as Fields;
};

const countAt = (fields: Fields, name: string): number => {
  // Nearly every usage has no details: twenty names need not be looked for in nothing.
  if (fields === nothing) return 0;
  const value = fields[name];
  return isAbsent(value) ? 0 : safe(value, name);
};

/** Adding zero makes -0 a plain zero. */
const safe = (value: unknown, name: string): number => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new ImpossibleCount(`${name} is no count of tokens`);
  return (value as number) + 0;
};
