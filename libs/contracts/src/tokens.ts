/**
 * The classes that tokens are counted and priced in. They are disjoint: `input` is what remains of a prompt after cached,
 * audio and image tokens are taken out of it, `output` what remains of an answer after reasoning and audio.
 */
export const tokenClasses = [
  'input',
  'cached_read',
  'cache_write_5m',
  'cache_write_1h',
  'audio_in',
  'image_in',
  'output',
  'reasoning',
  'audio_out',
  'image_out',
] as const;

export type TokenClass = (typeof tokenClasses)[number];

/** Safe integers ≥ 0 by class; a class that is absent counts zero. */
export type TokenCounts = Partial<Record<TokenClass, number>>;

/** What a class is priced as where a price book has no rate of its own for it. */
export const parentClass: Readonly<Record<TokenClass, 'input' | 'output'>> = {
  input: 'input',
  cached_read: 'input',
  cache_write_5m: 'input',
  cache_write_1h: 'input',
  audio_in: 'input',
  image_in: 'input',
  output: 'output',
  reasoning: 'output',
  audio_out: 'output',
  image_out: 'output',
};

const sumOf = (counts: TokenCounts, side: 'input' | 'output'): number =>
  tokenClasses.reduce((sum, name) => (parentClass[name] === side ? sum + (counts[name] ?? 0) : sum), 0);

/** All tokens of the prompt, whatever their class. */
export const promptTokens = (counts: TokenCounts): number => sumOf(counts, 'input');

/** All tokens of the answer, whatever their class. */
export const completionTokens = (counts: TokenCounts): number => sumOf(counts, 'output');
