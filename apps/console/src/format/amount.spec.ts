import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { formatMoney, moneyMax } from '@kilotoken/money';
import { amountText, countText, formatAmount, readAmount, shareOf, sumAmounts } from './amount.ts';

describe('an amount', () => {
  test.each([
    ['1234.5', 'USD', 'en-US', '$1,234.50'],
    ['1234.5000001', 'USD', 'en-US', '$1,234.5000001'],
    ['0.000000000001', 'USD', 'en-US', '$0.000000000001'],
    ['-12.5', 'EUR', 'de-DE', '-12,50\u00a0€'],
    ['10.5', 'JPY', 'en-US', '¥10.5'],
    ['10.5', 'JPY', 'de-DE', '10,5\u00a0¥'],
    ['8412000', 'qwen-pack', 'en-US', '8,412,000 qwen-pack'],
    ['0.25', 'qwen-pack', 'en-US', '0.25 qwen-pack'],
    ['12840.5', 'CNY', 'zh-CN', '¥12,840.50'],
    ['99999999999999999999999999.999999999999', 'USD', 'en-US', '$99,999,999,999,999,999,999,999,999.999999999999'],
  ])('%s %s in %s is written %s', (value, unit, locale, text) => expect(amountText(value, unit, locale)).toBe(text));

  it('splits where its usual decimals end', () => {
    expect(formatAmount('1234.5000001', 'USD', 'en-US')).toEqual({ head: '$1,234.50', tail: '00001', after: '' });
    expect(formatAmount('12.345', 'EUR', 'de-DE')).toEqual({ head: '12,34', tail: '5', after: '\u00a0€' });
  });

  it('keeps every digit, however large or small it is', () => {
    const digitsOf = (text: string): string => text.replace(/[^\d.-]/g, '').replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
    fc.assert(
      fc.property(fc.bigInt({ min: -moneyMax, max: moneyMax }), fc.constantFrom('USD', 'JPY', 'tokens'), (amount, unit) => {
        expect(digitsOf(amountText(formatMoney(amount), unit, 'en-US'))).toBe(formatMoney(amount));
      }),
    );
  });
});

test('a count past 2⁵³ is exact', () => expect(countText('9007199254740993', 'en-US')).toBe('9,007,199,254,740,993'));

test('sums are exact', () => expect(sumAmounts(['0.1', '0.2', '-0.3', '0.000000000001'])).toBe('0.000000000001'));

test.each([
  ['50', '100', 0.5],
  ['150', '100', 1],
  ['-1', '100', 0],
  ['1', '0', 0],
])('%s of %s is a share of %d', (part, whole, share) => expect(shareOf(part, whole)).toBe(share));

test.each([
  [' 12.50 ', '12.5'],
  ['1,000', null],
  ['1e3', null],
  ['', null],
  ['0.0000000000001', null],
])('%j typed is %j', (text, amount) => expect(readAmount(text)).toBe(amount));
