import { z } from 'zod';

/** One round's order to a side, and the side's report. */
export const engineOrder = z.object({ prompts: z.array(z.string()), tokens: z.number().int() });
export type EngineOrder = z.infer<typeof engineOrder>;

export const engineResult = z.object({
  /** Generated tokens. */
  tokens: z.number().int(),
  elapsedMs: z.number(),
  /** Time to the first token of each request. */
  firstTokenMs: z.array(z.number()),
  decodes: z.number().int(),
  /** The sum of the sequences of all decodes. */
  sequences: z.number().int(),
});
export type EngineResult = z.infer<typeof engineResult>;

/** The start arguments of the processes that load the model themselves. */
export const engineProcessArguments = z.tuple([z.enum(['bare', 'loops', 'engine']), z.string(), z.coerce.number().int(), z.coerce.number().int()]);

/** Prompts of about equal length that all differ, so that no sequence can be taken for another. */
export const promptsFor = (count: number): string[] => {
  const things = ['a river', 'a mountain', 'a library', 'a harbour', 'an orchard', 'a railway', 'a lighthouse', 'a village'];
  return Array.from({ length: count }, (_, index) => `Chapter ${index + 1}. A long story about ${things[index % things.length]!} and the people who lived there. Once upon a time`);
};

/** Room for prompt and answer, with a margin. */
export const contextTokens = 512;
export const batchTokens = 512;
