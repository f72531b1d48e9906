import { type Fields, isFields } from './fields.js';
import { type CountName, promptsWithCache, promptsWithoutCache, type UsageField, usageFields } from './usage-fields.js';

/** The bounds of a request's usage: counts above them are the vendor's mistake. */
export interface UsageBounds {
  /** The bounds of the hold: a proven bound of the prompt, and all choices' `max_tokens` with predictions. */
  readonly promptTokensMax: number;
  readonly completionTokensMax: number;
  /** The most that either side can have in the model's context window, over all choices. No count above this is believed. */
  readonly tokensLimit: number;
}

/** All that the usages of one answer say together. A count of `unsaid` was never said. */
export interface Observations {
  readonly greatest: Record<CountName, number>;
  /** The least that was said of a side above its bound. */
  readonly above: { prompt: number; completion: number };
  /** Sides of which something was said that cannot be. */
  readonly impossible: { prompt: boolean; completion: boolean };
  /** Something of it came under a name that its format defines as standing beside the total. */
  readonly apart: { cache: boolean; reasoning: boolean };
  promptWithCache: boolean;
  promptWithoutCache: boolean;
  /** How long the answer was when its tokens were last counted. */
  countedLength: number;
  /** Why which fields were ignored, under the vendor's names. */
  readonly ignored: Set<string>;
}

export const unsaid = -1;

export const createObservations = (): Observations => ({
  greatest: {
    prompt: unsaid, completion: unsaid, total: unsaid, cached: unsaid, written: unsaid, writtenHour: unsaid, writtenFiveMinutes: unsaid,
    toolPrompt: unsaid, audioIn: unsaid, imageIn: unsaid, reasoning: unsaid, audioOut: unsaid, imageOut: unsaid,
  },
  above: { prompt: unsaid, completion: unsaid },
  impossible: { prompt: false, completion: false },
  apart: { cache: false, reasoning: false },
  promptWithCache: false,
  promptWithoutCache: false,
  countedLength: 0,
  ignored: new Set(),
});

/** Adds one usage. `generatedLength` is the length of the answer up to here. */
export const observeUsage = (observations: Observations, bounds: UsageBounds, usage: unknown, generatedLength: number): void => {
  if (usage === null || usage === undefined) return;
  if (isFields(usage)) observeFields(observations, bounds, usage, usageFields, generatedLength);
  else observations.ignored.add('usage is not an object');
};

const observeFields = (observations: Observations, bounds: UsageBounds, fields: Fields, table: ReadonlyMap<string, UsageField>, generatedLength: number): void => {
  for (const name of Object.keys(fields)) {
    const field = table.get(name);
    const value = fields[name];
    if (field === undefined || value === null || value === undefined) continue;
    if ('fields' in field) {
      if (!isFields(value)) observations.ignored.add(`${name} is not an object`);
      else {
        if (promptsWithCache.has(name)) observations.promptWithCache = true;
        observeFields(observations, bounds, value, field.fields, generatedLength);
      }
      continue;
    }
    const count = countOf(value);
    if (count === null) ignore(observations, field.count, `${name} is no count of tokens`);
    else if (take(observations, bounds, name, field.count, count)) note(observations, name, field, count, generatedLength);
  }
};

/** A whole number ≥ 0, or its digits; null for anything else. Adding zero makes −0 a plain zero. */
const countOf = (value: unknown): number | null => {
  const number = typeof value === 'string' && /^\d{1,16}(\.0{1,16})?$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && (number as number) >= 0 ? (number as number) + 0 : null;
};

const ignore = ({ ignored, impossible }: Observations, count: CountName, reason: string): void => {
  ignored.add(reason);
  if (count === 'prompt' || count === 'completion') impossible[count] = true;
};

/** Keeps the greatest count within the bound; answers whether the count can be. */
const take = (observations: Observations, bounds: UsageBounds, name: string, count: CountName, value: number): boolean => {
  const { greatest, above } = observations;
  if (value > (count === 'total' ? bounds.tokensLimit * 2 : bounds.tokensLimit)) {
    ignore(observations, count, `${name} is more than the context window allows`);
    return false;
  }
  if (count === 'prompt' || count === 'completion') {
    const max = count === 'prompt' ? bounds.promptTokensMax : bounds.completionTokensMax;
    if (value > max) {
      if (above[count] === unsaid || value < above[count]) above[count] = value;
      return true;
    }
  }
  if (value > greatest[count]) greatest[count] = value;
  return true;
};

const note = (observations: Observations, name: string, field: Exclude<UsageField, { fields: unknown }>, value: number, generatedLength: number): void => {
  if (field.count === 'completion') observations.countedLength = Math.max(observations.countedLength, generatedLength);
  if (value === 0) return;
  if (field.apart) observations.apart[field.apart] = true;
  if (field.count !== 'prompt') return;
  if (promptsWithoutCache.has(name)) observations.promptWithoutCache = true;
  if (promptsWithCache.has(name)) observations.promptWithCache = true;
};
