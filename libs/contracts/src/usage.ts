import { completionTokens, parentClass, promptTokens, tokenClasses, type TokenCounts } from './tokens.js';
import { isFields } from './fields.js';
import { createObservations, observeUsage, unsaid, type Observations, type UsageBounds } from './usage-observations.js';

/**
 * Reads what vendors say of their usage, field by field, into our disjoint classes.
 *
 *   { prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 64 }, completion_tokens: 9 }
 *     → { input: 36, cached_read: 64, output: 9 }
 *
 * The rules, each against a way in which systems like this one were seen to bill wrongly:
 *
 * - Counters are cumulative. Of each field the greatest value counts, whichever chunk it stands in: zeros at the end of a
 *   stream erase nothing, and a usage that is sent twice counts once.
 * - A count is a whole number ≥ 0, or its digits. Anything else is ignored by itself, and the other fields stand.
 * - A count above the request's bound is ignored where the vendor also gave one within it. Where it gave none, the least of
 *   those above stands if the context window allows it: the charge is then the hold, and the rest is our loss.
 * - A side (prompt or completion) that was left out follows from the total. A side whose every value cannot be is missing:
 *   a vendor that miscounts the part is not trusted with the sum.
 * - Details lie within their total and are cut to it. They may overlap (a cached token may be one of an image): each class,
 *   in the order below, takes at most what is left of the total, and the rest is plain input or output. So no token counts
 *   twice, and the classes add up to the total. Cached comes first: the vendor bills such a token as that.
 * - Details stand beside their total, and raise it, where `total_tokens` says so (xAI's reasoning), where their format
 *   defines it (Anthropic's cache beside `input_tokens`, Gemini's thoughts), and where Anthropic's names say more of the
 *   cache than the prompt has. Any other excess of the total has no name, and what is not itemized is not billed.
 */
export type { UsageBounds } from './usage-observations.js';

export interface UsageReading {
  /** The classes of the sides that are known. */
  readonly counts: TokenCounts;
  readonly prompt: 'said' | 'missing';
  /** `floor`: the answer went on after its last count, so it has at least so many tokens. */
  readonly completion: 'said' | 'missing' | 'floor';
  /** Why which fields were ignored or cut, for the operator. */
  readonly ignored: readonly string[];
}

export interface UsageReader {
  /** Takes one usage. `generatedLength` is the length of the answer up to and with this chunk. */
  observe(usage: unknown, generatedLength?: number): void;
  /** Takes each usage that a chunk or a body carries, also where Moonshot (in a choice), Groq and Gemini put it. */
  observeAnswer(answer: Readonly<Record<string, unknown>>, generatedLength?: number): void;
  /**
   * Reads all of them together. `generatedLength` is the length of the whole answer. `isCut`: the answer was broken off before its
   * end, and what vendors say until then (zeros, one token a chunk) is no count of it, but at most a floor.
   */
  read(generatedLength?: number, isCut?: boolean): UsageReading;
}

/** Of a vendor that said nothing. */
export const nothingRead: UsageReading = { counts: {}, prompt: 'missing', completion: 'missing', ignored: [] };

export const createUsageReader = (bounds: UsageBounds): UsageReader => {
  let observations: Observations | null = null;
  const observe = (usage: unknown, generatedLength = 0): void => {
    if (usage === null || usage === undefined) return;
    observations ??= createObservations();
    observeUsage(observations, bounds, usage, generatedLength);
  };
  return {
    observe,
    observeAnswer: ({ usage, usageMetadata, x_groq: groq, choices }, generatedLength) => {
      observe(usage, generatedLength);
      observe(usageMetadata, generatedLength);
      if (isFields(groq)) observe(groq['usage'], generatedLength);
      if (Array.isArray(choices)) for (const choice of choices as unknown[]) if (isFields(choice)) observe(choice['usage'], generatedLength);
    },
    read: (generatedLength = 0, isCut = false) => {
      if (!observations) return nothingRead;
      const reading = interpret(observations, bounds.tokensLimit, generatedLength);
      return isCut ? asFloor(reading) : reading;
    },
  };
};

const unbounded: UsageBounds = { promptTokensMax: Number.MAX_SAFE_INTEGER, completionTokensMax: Number.MAX_SAFE_INTEGER, tokensLimit: Number.MAX_SAFE_INTEGER };

/** Reads one usage that stands alone. */
export const readUsage = (usage: unknown, bounds: UsageBounds = unbounded): UsageReading => {
  const reader = createUsageReader(bounds);
  reader.observe(usage);
  return reader.read();
};

/** A reading with the sides that it lacks taken from an estimate; `estimated` where any of it was. */
export const completeReading = (reading: UsageReading, estimate: () => TokenCounts): { readonly counts: TokenCounts; readonly estimated: boolean } => {
  const { counts, prompt, completion } = reading;
  if (prompt === 'said' && completion === 'said') return { counts, estimated: false };
  const guess = estimate();
  const guessesPrompt = prompt === 'missing';
  const guessesCompletion = completion === 'missing' || (completion === 'floor' && completionTokens(guess) > completionTokens(counts));
  const completed: TokenCounts = {};
  for (const name of tokenClasses) {
    const guesses = parentClass[name] === 'input' ? guessesPrompt : guessesCompletion;
    const tokens = (guesses ? guess : counts)[name];
    if (tokens !== undefined) completed[name] = tokens;
  }
  return { counts: completed, estimated: guessesPrompt || guessesCompletion };
};

const asFloor = ({ counts, prompt, completion, ignored }: UsageReading): UsageReading => {
  const isPromptSaid = prompt === 'said' && promptTokens(counts) > 0;
  const { input: _, ...rest } = counts;
  return { counts: isPromptSaid ? counts : rest, prompt: isPromptSaid ? 'said' : 'missing', completion: completion === 'missing' ? 'missing' : 'floor', ignored };
};

const interpret = (observations: Observations, limit: number, generatedLength: number): UsageReading => {
  const { greatest, countedLength } = observations;
  const ignored = [...observations.ignored];
  const [cached, reasoning] = [said(greatest.cached), said(greatest.reasoning)];
  const hour = said(greatest.writtenHour);
  // All lifetimes but an hour's are priced as five minutes.
  const written = Math.max(said(greatest.written), hour + said(greatest.writtenFiveMinutes));
  const totals = totalsOf(observations, cached + written, reasoning, limit, ignored);

  const counts: TokenCounts = {};
  if (totals.prompt !== null) {
    const take = createTaker(counts, totals.prompt, 'prompt', ignored);
    take('cached_read', cached);
    take('cache_write_1h', hour);
    take('cache_write_5m', written - hour);
    take('audio_in', said(greatest.audioIn));
    take('image_in', said(greatest.imageIn));
    counts.input = take.rest();
  }
  if (totals.completion !== null) {
    const take = createTaker(counts, totals.completion, 'answer', ignored);
    take('reasoning', reasoning);
    take('audio_out', said(greatest.audioOut));
    take('image_out', said(greatest.imageOut));
    counts.output = take.rest();
  }
  return {
    counts,
    prompt: totals.prompt === null ? 'missing' : 'said',
    completion: totals.completion === null ? 'missing' : generatedLength > countedLength ? 'floor' : 'said',
    ignored,
  };
};

const said = (count: number): number => (count === unsaid ? 0 : count);

interface Totals {
  prompt: number | null;
  completion: number | null;
}

/** The totals with everything within them, whichever of it the vendor counts beside them; null where a side is not known. */
const totalsOf = (observations: Observations, cache: number, reasoning: number, limit: number, ignored: string[]): Totals => {
  const { greatest, apart, promptWithCache, promptWithoutCache } = observations;
  const sides = sidesOf(observations, apart.reasoning ? reasoning : 0, limit, ignored);
  const { total } = greatest;
  const beside = total === unsaid || sides.prompt === null || sides.completion === null ? 0 : total - sides.prompt - sides.completion;
  const both = beside === cache + reasoning;
  const raise = (side: 'prompt' | 'completion', count: number): void => {
    const sum = (sides[side] ?? unsaid) + count;
    if (sides[side] !== null && sum <= limit) sides[side] = sum;
  };
  const reasoningIsBeside = apart.reasoning || (beside > 0 && (beside === reasoning || both));
  const cacheIsBeside =
    (apart.cache && promptWithoutCache && !promptWithCache) ||
    (beside > 0 && (both || (beside === cache && beside !== reasoning))) ||
    (apart.cache && sides.prompt !== null && cache > sides.prompt);
  if (reasoningIsBeside) raise('completion', reasoning);
  if (cacheIsBeside) raise('prompt', cache);
  return sides;
};

/** Both sides as they were said, or as the total tells of one that was left out. */
const sidesOf = (observations: Observations, thoughts: number, limit: number, ignored: string[]): Totals => {
  const { greatest, impossible } = observations;
  const sides: Totals = { prompt: sideOf(observations, 'prompt', ignored), completion: sideOf(observations, 'completion', ignored) };
  // Gemini counts the results of its own tools beside the prompt.
  if (sides.prompt !== null) sides.prompt += said(greatest.toolPrompt);
  const follows = (of: 'prompt' | 'completion', other: number | null): number | null => {
    if (greatest.total === unsaid || other === null || impossible[of]) return null;
    const rest = greatest.total - other - (of === 'completion' ? thoughts : 0);
    if (rest >= 0 && rest <= limit) return rest;
    ignored.push('total_tokens is less than its part');
    return null;
  };
  const { prompt, completion } = sides;
  return { prompt: prompt ?? follows('prompt', completion), completion: completion ?? follows('completion', prompt) };
};

const sideOf = ({ greatest, above }: Observations, side: 'prompt' | 'completion', ignored: string[]): number | null => {
  // Zeros stand in many a chunk before the count does: they are no reason to leave one that is above its bound.
  if (above[side] !== unsaid && greatest[side] <= 0) return above[side];
  if (above[side] !== unsaid) ignored.push(`a count of the ${side} is above what was asked for`);
  return greatest[side] === unsaid ? null : greatest[side];
};

/** Gives classes their tokens out of one total, until nothing is left of it. */
const createTaker = (counts: TokenCounts, total: number, name: string, ignored: string[]) => {
  let left = total;
  const take = (tokenClass: keyof TokenCounts, count: number): void => {
    if (count === 0) return;
    if (count > total) ignored.push(`${tokenClass} is ${count}, which is more than the ${total} of the ${name}`);
    const taken = Math.min(count, left);
    left -= taken;
    if (taken > 0) counts[tokenClass] = taken;
  };
  return Object.assign(take, { rest: () => left });
};
