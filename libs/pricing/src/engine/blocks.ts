/**
 * Blocks of a size for each step. `all`: each step's blocks at its own amount, as many as it has: 5,325 units in steps of ten blocks of 100, then
 * blocks of 1,000, are 10 + 5 blocks. `top`: all units in blocks of the step that the total reaches: 101,000 units that a second step of a hundred blocks of
 * 1,000 reaches are 101 of its blocks.
 */
import type { Money } from '@kilotoken/money';
import { divideUp, type Quantity } from './quantity.js';
import { greatest, type Shape } from './shape.js';

export interface BlockStep {
  readonly size: Quantity;
  /** Null: open. */
  readonly blocks: bigint | null;
  readonly amount: Money;
}

/** The numbers of units after which a step's blocks are used up. */
const endsOf = (steps: readonly BlockStep[]): (Quantity | null)[] => {
  let end = 0n;
  return steps.map(({ size, blocks }) => (blocks === null ? null : (end += size * blocks)));
};

export const blockShape = (mode: 'all' | 'top', steps: readonly BlockStep[]): Shape => {
  const ends = endsOf(steps);
  const costOfAll = (quantity: Quantity): Money => {
    let cost = 0n;
    let left = quantity;
    for (const { size, blocks, amount } of steps) {
      if (left <= 0n) break;
      const begun = divideUp(left, size);
      const used = blocks === null || begun < blocks ? begun : blocks;
      cost += used * amount;
      left -= used * size;
    }
    return cost;
  };
  const costOfTop = (quantity: Quantity): Money => {
    const { size, amount } = steps[ends.findIndex((end) => end === null || quantity <= end)] ?? steps.at(-1)!;
    return divideUp(quantity, size) * amount;
  };
  return {
    divisor: 1n,
    cost: mode === 'all' ? costOfAll : costOfTop,
    unitPrice: () => null,
    edges: (most, unit, countMax) => blockEdges(steps, ends, mode, most, unit, countMax),
    onTop: (level, quantity) => blocksOnTop(mode, steps, ends, level, quantity),
    ...(mode === 'top' ? { peaks: (most: Quantity) => ends.filter((end): end is Quantity => end !== null && end <= most) } : {}),
  };
};

const blockEdges = (steps: readonly BlockStep[], ends: readonly (Quantity | null)[], mode: 'all' | 'top', most: Quantity, unit: Quantity, countMax: number): Quantity[] | null => {
  const edges: Quantity[] = [];
  let from = 0n;
  for (const [index, { size }] of steps.entries()) {
    const to = ends[index] === null || ends[index]! > most ? most : ends[index]!;
    // Blocks of `top` are counted from the first unit on.
    const origin = mode === 'all' ? from : 0n;
    const firstBlock = (from - origin) / size;
    if ((to - from) / size > BigInt(countMax - edges.length)) return null;
    for (let block = firstBlock; origin + block * size < to; block += 1n) {
      const begin = origin + block * size;
      edges.push(begin - (begin % unit), begin - (begin % unit) + unit);
    }
    edges.push(to - (to % unit), to - (to % unit) + unit);
    if (to >= most) break;
    from = to;
  }
  return [...new Set(edges)].filter((edge) => edge > 0n && edge <= most);
};

/** Exact within the last step. Before it, `all` may take blocks of several steps, and a line of `top` may reprice all units so far. */
const blocksOnTop = (mode: 'all' | 'top', steps: readonly BlockStep[], ends: readonly (Quantity | null)[], level: Quantity, quantity: Quantity): Money => {
  const reachable = steps.map(({ size, amount }, index) => ({ size, amount, end: ends[index] ?? null, begin: ends[index - 1] ?? 0n })).filter(({ end }, index) => end === null || end > level || index === steps.length - 1);
  if (mode === 'top') return greatest(reachable.map(({ size, amount, begin }, index) => divideUp(index === 0 ? quantity : begin + quantity, size) * amount));
  return reachable.reduce((sum, { size, amount, end, begin }) => sum + divideUp(end === null || end - begin > quantity ? quantity : end - begin, size) * amount, 0n);
};
