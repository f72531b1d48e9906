/** Random books that draw every construct, with small numbers so that requests meet both sides of every edge. For the specs. */
export interface Draw {
  /** A whole number from 0 to below `count`. */
  below(count: number): number;
  chance(percent: number): boolean;
  of<Item>(items: readonly Item[]): Item;
}

/** A small generator with a seed (mulberry32). */
export const drawFrom = (seed: number): Draw => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (count: number): number => next() % count;
  return { below, chance: (percent) => below(100) < percent, of: (items) => items[below(items.length)]! };
};

export const sides = { prompt: ['input', 'cached_read', 'cache_write_5m'], answer: ['output', 'reasoning'] } as const;
const tokens = [...sides.prompt, ...sides.answer];

const amount = ({ of, below }: Draw): string => of([`${below(9)}`, `0.${below(10)}${1 + below(9)}`, '0.000000000001', `${1 + below(30)}`, '0.0375']);

const steps = (draw: Draw, most: number): { up_to?: string }[] => {
  const ends = [...new Set(Array.from({ length: draw.below(3) }, () => 1 + draw.below(most)))].sort((a, b) => a - b);
  return [...ends.map((end) => ({ up_to: draw.chance(15) ? `${end}.5` : `${end}` })), {}];
};

const price = (draw: Draw, over: string | undefined, most: number): unknown => {
  const end = over === undefined ? {} : { over };
  switch (draw.below(over === undefined ? 8 : 4)) {
    case 0:
      return { tiers: 'graduated', ...end, steps: steps(draw, most).map((step) => ({ ...step, amount: amount(draw), flat: draw.chance(30) ? amount(draw) : '0' })) };
    case 1:
      return { tiers: 'volume', ...end, steps: steps(draw, most).map((step) => ({ ...step, amount: amount(draw), flat: draw.chance(30) ? amount(draw) : '0' })) };
    case 2:
      return { package: draw.of(['1', '2', '5', '2.5']), amount: amount(draw), free: `${draw.below(4)}`, ...end };
    case 3:
      return { blocks: draw.of(['all', 'top']), ...end, steps: [...(draw.chance(50) ? [{ size: draw.of(['1', '2']), blocks: `${1 + draw.below(3)}`, amount: amount(draw) }] : []), { size: draw.of(['2', '3']), amount: amount(draw) }] };
    default:
      return { amount: amount(draw) };
  }
};

const modifiers = (draw: Draw): object => ({
  ...(draw.chance(10) ? { quantity: { divide: draw.of(['2', '3', '2.5', '0.5']), round: draw.of(['up', 'down', 'half_up']) } } : {}),
  ...(draw.chance(8) ? { base: amount(draw) } : {}),
  ...(draw.chance(8) ? { minimum: amount(draw) } : {}),
  ...(draw.chance(8) ? { maximum: `${5 + draw.below(30)}` } : {}),
  ...(draw.chance(10) ? { flat_at_zero: true } : {}),
  ...(draw.chance(8) ? { round: { decimals: draw.below(4), mode: draw.of(['half_up', 'half_even', 'up', 'down']) } } : {}),
});

export interface BookLimits {
  /** Bounds of steps and bands, in tokens. */
  readonly most: number;
  readonly counters: boolean;
  readonly coarse: boolean;
}

const ratesOf = (draw: Draw, { most, counters, coarse }: BookLimits): object[] => {
  const declared = ['input', 'output', ...tokens.filter((name) => name !== 'input' && name !== 'output' && draw.chance(50)), ...['tool_call', 'request'].filter(() => draw.chance(25))];
  const bands = draw.chance(50) ? [`${1 + draw.below(most)}`] : [];
  const conditions = [{}, ...bands.map((over) => ({ context: { over } })), ...(draw.chance(40) ? [{ tiers: ['priority'] }] : []), ...(draw.chance(30) ? [{ windows: ['night'], tiers: ['default'] }] : []), ...(draw.chance(20) ? [{ context: { over: bands[0] ?? '1' }, tiers: ['priority'] }] : [])];
  return declared.flatMap((name) =>
    conditions.filter((_, index) => index === 0 || draw.chance(70)).map((when) => {
      const over = counters && name !== 'tool_call' && name !== 'request' && draw.chance(35) ? 'month' : undefined;
      const given = modifiers(draw) as Record<string, unknown>;
      if (!coarse) delete given['round'];
      return { models: draw.chance(80) ? ['m'] : '*', classes: [name], when, per: draw.of([1, 3, 7, 1000]), price: price(draw, over, most), ...given };
    }),
  );
};

export const randomBook = (draw: Draw, limits: BookLimits): object => {
  const percent = (): string => draw.of(['0', '10', '33.3', '50', '100']);
  const tiered = { over: draw.of(['month', 'spend']), tiers: draw.of(['graduated', 'volume']), steps: steps(draw, limits.most).map((step) => ({ ...step, percent: percent() })) };
  const discounts = [
    ...(draw.chance(40) ? [{ id: 'flat', percent: percent() }] : []),
    ...(draw.chance(30) ? [{ id: 'batch', when: { modes: ['batch'] }, percent: percent() }] : []),
    ...(draw.chance(30) ? [{ id: 'cache', classes: ['cached_read', 'reasoning'], percent: percent() }] : []),
    ...(limits.counters && draw.chance(30) ? [{ id: 'steps', percent: tiered }] : []),
  ];
  const ids = discounts.map(({ id }) => id);
  return {
    windows: { night: { from: '22:00', to: '08:00' } },
    ...(limits.counters ? { accumulators: { month: { counts: 'tokens', period: 'month' }, spend: { counts: 'amount', period: 'month' } } } : {}),
    rates: ratesOf(draw, limits),
    discounts,
    stacking: ids.length > 1 && draw.chance(60) ? [{ discounts: ids.slice(0, 2 + draw.below(2)), combine: draw.of(['best', 'first', 'multiply']) }] : [],
    ...(limits.counters && draw.chance(15) ? { maximums: [{ id: 'cap', amount: `${20 + draw.below(200)}`, period: 'month' }] } : {}),
  };
};
