/**
 * How many tokens of each sequence the next decode computes. Sequences that are generating come first with their one
 * token each, so nobody's answer stalls behind a prompt; the rest of the budget goes to prompts in order of arrival, in
 * parts where they are long. A prompt of 2,000 tokens thus slows the others by a budget a decode instead of stopping them.
 *
 *   shareBatch([0, 300, 40], 256) → [1, 255, 0]      the first generates, the second is given all that is left
 *   shareBatch([0, 45, 40], 256)  → [1, 45, 40]
 *
 * `promptTokensLeft` is what is still to be computed of each sequence's prompt; 0 means that it generates. Zero in the
 * answer means that the sequence sits this decode out.
 */
export const shareBatch = (promptTokensLeft: readonly number[], batchTokensMax: number): number[] => {
  const generating = promptTokensLeft.reduce((count, tokens) => (tokens === 0 ? count + 1 : count), 0);
  if (generating > batchTokensMax) throw new RangeError(`${generating} sequences generate, and a decode takes ${batchTokensMax} tokens`);
  let left = batchTokensMax - generating;
  return promptTokensLeft.map((tokens) => {
    if (tokens === 0) return 1;
    const share = Math.min(tokens, left);
    left -= share;
    return share;
  });
};
