import { SeededRandom } from '../seeded-random.js';

/** The draws of a history: the same seed makes the same history, on every machine. */
export class DemoRandom extends SeededRandom {
  /** A generator of its own, so that more draws in one place change nothing in another. */
  fork(): DemoRandom {
    return new DemoRandom(Math.floor(this.next() * 2 ** 32));
  }

  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last -= 1) {
      const other = this.between(0, last);
      [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
    }
    return shuffled;
  }

  /** Picks by weights, which need not add up to 1. */
  weighted<Item>(items: readonly (readonly [Item, number])[]): Item {
    let left = this.next() * items.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [item, weight] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return items.at(-1)![0];
  }

  /** A factor around 1: half of its logarithm's draws lie within 0.67 `spread`. */
  logNormal(spread: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return Math.exp(spread * radius * Math.cos(2 * Math.PI * this.next()));
  }

  /** How many independent events happen where `mean` are expected. */
  poisson(mean: number): number {
    // Knuth's product underflows for large means: sums of Poisson counts are Poisson counts.
    if (mean > 30) return this.poisson(mean / 2) + this.poisson(mean / 2);
    const floor = Math.exp(-mean);
    let count = -1;
    for (let product = 1; product > floor; product *= this.next()) count += 1;
    return count;
  }

  word(): number {
    return Math.floor(this.next() * 2 ** 32);
  }
}
