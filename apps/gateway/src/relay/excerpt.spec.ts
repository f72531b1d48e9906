import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { excerptOf } from './excerpt.js';

it('an ordinary usage is kept as it is', () => {
  const usage = { prompt_tokens: -1, completion_tokens: 2.5, total_tokens: null, prompt_tokens_details: { cached_tokens: '7', cache_creation: { ephemeral_1h_input_tokens: 1 } } };
  expect(excerptOf(usage)).toEqual(usage);
});

it('whatever a vendor sends, what is kept of it is bounded', () => {
  const deep = JSON.parse('{"a":'.repeat(500) + '1' + '}'.repeat(500)) as unknown;
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`field ${index}`, 'x'.repeat(1_000)]));
  expect(JSON.stringify(excerptOf(deep)).length).toBeLessThan(100);
  expect(JSON.stringify(excerptOf(wide)).length).toBeLessThan(10_000);
  expect(JSON.stringify(excerptOf([wide, wide])).length).toBeLessThan(20_000);
  fc.assert(fc.property(fc.anything(), (value) => typeof JSON.stringify({ usage: excerptOf(JSON.parse(JSON.stringify(value ?? null, (_, each: unknown) => (typeof each === 'bigint' ? 0 : each)) ?? 'null')) }) === 'string'));
});
