/** States an invariant. What follows would be wrong without it, so it is an error and not a refusal. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`);
}
