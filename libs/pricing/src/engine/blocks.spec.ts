import { describe, expect, test } from '@jest/globals';
import { costOf } from './worked-example.js';

const blocks = (mode: 'all' | 'top', rows: readonly (readonly [size: string, blocks: string | null, amount: string])[]): object => ({
  price: { blocks: mode, steps: rows.map(([size, count, amount]) => ({ size, ...(count === null ? {} : { blocks: count }), amount })) },
});

describe('a price by blocks', () => {
  test.each<[string, object, string, string]>([
    // killbill/killbill invoice/src/test/java/org/killbill/billing/invoice/usage/TestContiguousIntervalConsumableInArrear.java
    ['kb-block-alltiers-5325', blocks('all', [['100', '10', '1'], ['1000', null, '1']]), '5325', '15'],
    ['kb-block-top-101000', blocks('top', [['100', '10', '1'], ['1000', '100', '1'], ['1000', null, '0.5']]), '101000', '101'],
  ])('costs what its source says: %s', (_, rate, quantity, total) => expect(costOf(rate, quantity)).toBe(total));
});
