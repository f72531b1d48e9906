import type { LlamaContextSequence, SequenceEvaluateOutput, Token } from 'node-llama-cpp';
import type { StepSequence } from './step-loop.js';

export interface TokenSampling {
  readonly temperature: number;
  readonly topP: number;
  /** Only the likeliest tokens are drawn from; 0 is the whole vocabulary. */
  readonly topK: number;
  readonly seed: number;
}

/** One of the sequences of a context, by its number there. */
export interface LlamaPlace {
  readonly row: number;
  readonly sequence: LlamaContextSequence;
}

/** A generation that one place of the context computes, from prompt to last token. */
export const createLlamaSequence = ({ row, sequence }: LlamaPlace, prompt: readonly Token[], sampling: TokenSampling): StepSequence => {
  let computed = 0;
  let tokens: AsyncGenerator<SequenceEvaluateOutput<Record<never, never>>, void> | null = null;
  return {
    row,
    promptTokensLeft: () => prompt.length - computed,
    compute: async (count) => {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(computed, computed + count));
      computed += count;
    },
    sample: async () => {
      // The generator keeps one sampler for the whole answer, so that a seed stands for a sequence of random numbers.
      tokens ??= sequence.evaluateWithMetadata(prompt.slice(computed), {}, { ...sampling, yieldEogToken: true });
      computed = prompt.length;
      const next = await tokens.next();
      if (next.done) throw new Error('the sequence was taken away while it generated');
      return sequence.model.isEogToken(next.value.token) ? null : next.value.token;
    },
    release: async () => {
      await tokens?.return();
      await sequence.clearHistory();
    },
  };
};
