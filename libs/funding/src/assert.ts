/** States an invariant. It is checked in production too: money that does not add up must stop, not go on. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`);
}
