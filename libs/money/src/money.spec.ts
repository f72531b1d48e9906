import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { divideHalfEven, divideHalfUp, formatMoney, moneyMax, parseMoney, priceOf } from './money.js';

describe('money is read and written to the last digit', () => {
  test.each([
    ['0', 0n],
    ['0.15', 150_000_000_000n],
    ['-1.000000000001', -1_000_000_000_001n],
    ['0.0000000375', 37_500n], // 0.0375 per million: nine decimals lose it
    ['99999999999999999999999999.999999999999', moneyMax],
  ])('%s', (text, pico) => {
    expect(parseMoney(text)).toBe(pico);
    expect(formatMoney(pico)).toBe(text);
  });

  test.each(['', '-', '-0', '-0.0', '+1', '.5', '1.', '1,000', '1e3', 'NaN', 'Infinity', ' 1', '0x1', '1.0000000000001', '1'.repeat(27), '１'])(
    'what is not a plain decimal is refused: %j',
    (text) => expect(() => parseMoney(text)).toThrow(RangeError),
  );

  test('every amount survives the round trip through text', () => {
    fc.assert(fc.property(fc.bigInt({ min: -moneyMax, max: moneyMax }), (amount) => parseMoney(formatMoney(amount)) === amount));
  });

  test('0.1 and 0.2 are 0.3', () => expect(formatMoney(parseMoney('0.1') + parseMoney('0.2'))).toBe('0.3'));
});

describe('rounding is named', () => {
  test.each([
    [5n, 10n, 0n],
    [15n, 10n, 2n],
    [25n, 10n, 2n],
    [26n, 10n, 3n],
    [-15n, 10n, -2n],
    [-25n, 10n, -2n],
  ])('half-even: %s / %s', (a, b, expected) => expect(divideHalfEven(a, b)).toBe(expected));

  test.each([
    [3n * 20n, 100n, 1n], // 3 cents at 20 %
    [15n * 10n, 100n, 2n], // 15 cents at 10 %
    [500n * 29n, 1000n, 15n], // 500 cents at 2.9 %: binary floats give 14
    [2n * 20n, 100n, 0n],
    [-15n * 10n, 100n, -2n],
  ])('half-up: %s / %s', (a, b, expected) => expect(divideHalfUp(a, b)).toBe(expected));

  test('a price multiplies first and divides once', () => {
    expect(formatMoney(priceOf(55n, parseMoney('0.067'), 1n))).toBe('3.685');
    expect(formatMoney(priceOf(1n, parseMoney('0.0375'), 1_000_000n))).toBe('0.0000000375');
    expect(priceOf(1n, 1n, 2n)).toBe(0n);
    expect(priceOf(3n, 1n, 2n)).toBe(2n);
  });
});
