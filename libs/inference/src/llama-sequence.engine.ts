import type { LlamaContextSequence, SequenceEvaluateOutput, Token } from 'node-llama-cpp';
import type { StepSequence } from './step-loop.js';

export interface TokenSampling {
  readonly temperature: number;
  readonly topP: number;
  /** Only the likeliest tokens are drawn from; 0 is the whole vocabulary. */
  readonly topK: number;
  readonly seed: number;
}

/** The parameters of a generation that one place of the context computes, from prompt to last token. */
export const createLlamaSequence = (place: LlamaContextSequence, prompt: readonly Token[], sampling: TokenSampling): StepSequence => {
  let computed = 0;
  let tokens: AsyncGenerator<SequenceEvaluateOutput<Record<never, never>>, void> | null = null;
  return {
    promptTokensLeft: () => prompt.length - computed,
    compute: async (count) => {
      await place.evaluateWithoutGeneratingNewTokens(prompt.slice(computed, computed + count));
      computed += count;
    },
    sample: async () => {
      // The generator keeps one sampler for the whole answer, so that a seed stands for a sequence of random numbers.
      tokens ??= place.evaluateWithMetadata(prompt.slice(computed), {}, { ...sampling, yieldEogToken: true });
      computed = prompt.length;
      const next = await tokens.next();
      if (next.done) throw new Error('the sequence was taken away while it generated');
      return place.model.isEogToken(next.value.token) ? null : next.value.token;
    },
    release: async () => {
      await tokens?.return();
      await place.clearHistory();
    },
  };
};
