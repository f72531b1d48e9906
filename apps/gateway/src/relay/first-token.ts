import type { StreamChunk } from './chunk-frame.js';

/** Roles, nulls and empty strings: what vendors open a stream with before the model has said anything. */
const saysNothing = (value: unknown): boolean => value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);

interface Choice {
  readonly text?: unknown;
  readonly finish_reason?: unknown;
  readonly delta?: unknown;
}

/** Whether a chunk carries something that was generated, an end included. A vendor that fails before it did has served nothing. */
export const isToken = ({ choices }: StreamChunk): boolean =>
  Array.isArray(choices) &&
  choices.some((choice: Choice | null) => {
    if (typeof choice !== 'object' || choice === null) return false;
    if (!saysNothing(choice.text) || !saysNothing(choice.finish_reason)) return true;
    return Object.entries(choice.delta ?? {}).some(([name, value]) => name !== 'role' && !saysNothing(value));
  });
