import { splitChoices, type StreamState } from '@kilotoken/openai';
import type { StreamChunk } from './chunk-frame.js';

/** A vendor's last chunk may carry log probabilities and verdicts of filters; what is larger than this is left out. */
const choiceLengthMax = 64 * 1024;

/**
 * Finish reasons that wait for the commit of their charge. A choice keeps the last one it was given; one that ended without
 * any has stopped.
 */
export interface TerminalEvents {
  /** Keeps the finish reasons of a chunk; answers what was generated beside them, or null where nothing was. */
  take(chunk: StreamChunk): StreamChunk | null;
  /** The chunks that finish every choice that began. */
  chunks(): StreamChunk[];
}

export const createTerminalEvents = (state: StreamState, envelope: StreamChunk): TerminalEvents => {
  const kept = new Map<unknown, StreamChunk>();
  const keep = (chunk: StreamChunk, choice: Readonly<Record<string, unknown>>): void => {
    const isLong = JSON.stringify(choice).length > choiceLengthMax;
    const index = choice['index'] ?? 0;
    kept.set(state.choices === 1 ? 0 : index, { ...chunk, choices: [isLong ? finishOf(index, choice['finish_reason'], 'text' in choice) : choice] });
  };
  const finishOf = (index: unknown, reason: unknown, isLegacy: boolean): StreamChunk => ({ index, ...(isLegacy ? { text: '' } : { delta: {} }), logprobs: null, finish_reason: reason });
  return {
    take: (chunk) => {
      const { generated, finished } = splitChoices(chunk);
      for (const choice of finished) keep(chunk, choice);
      return generated.length > 0 ? { ...chunk, choices: generated } : null;
    },
    chunks: () => {
      const isLegacy = envelope['object'] === 'text_completion';
      for (const index of state.begun) if (!state.finishReasons.has(index)) kept.set(index, { ...envelope, choices: [finishOf(index, 'stop', isLegacy)] });
      return [...kept.values()];
    },
  };
};
