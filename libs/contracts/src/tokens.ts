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

/** The class whose rate prices a class without its own rate in a price book. */
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

/** All tokens of the prompt, whatever their class. Spelled out, since every answer asks for it several times. */
export const promptTokens = ({ input = 0, cached_read = 0, cache_write_5m = 0, cache_write_1h = 0, audio_in = 0, image_in = 0 }: TokenCounts): number =>
  input + cached_read + cache_write_5m + cache_write_1h + audio_in + image_in;

/** All tokens of the answer, whatever their class. */
export const completionTokens = ({ output = 0, reasoning = 0, audio_out = 0, image_out = 0 }: TokenCounts): number => output + reasoning + audio_out + image_out;
