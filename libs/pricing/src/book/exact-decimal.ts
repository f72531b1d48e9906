/** Exact decimals as text: what lists of prices hold. */
import { divideHalfUp, formatMoney, moneyDecimals, moneyMax, parseMoney } from '@kilotoken/money';

/** The plain decimal of a number as JSON spells it: `2.5e-7` → `0.00000025`. Null: it is none of 0 or more, or has more digits than any price. */
export const plainDecimal = (text: string): string | null => {
  const match = /^(\d{1,26})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text);
  if (!match) return null;
  const [, wholePart, fraction = '', exponent = '0'] = match;
  const shift = Number(exponent);
  const digits = `${'0'.repeat(Math.max(0, -shift))}${wholePart}${fraction}${'0'.repeat(Math.max(0, shift))}`;
  const point = wholePart!.length + Math.max(0, -shift) + shift;
  return tidy(digits.slice(0, point), digits.slice(point));
};

const tidy = (wholeDigits: string, fractionDigits: string): string | null => {
  const [whole, fraction] = [wholeDigits.replace(/^0+(?=\d)/, '') || '0', fractionDigits.replace(/0+$/, '')];
  if (whole.length > 26 || fraction.length > 40) return null;
  return fraction === '' ? whole : `${whole}.${fraction}`;
};

/** The same price for more units, so many that its amount has no more decimals than a price book's: 0.1234567890123 for 1 → 123.4567890123 for 1000. */
export const priceFor = (amount: string, per: string): { readonly amount: string; readonly per: string } => {
  const [whole, fraction = ''] = amount.split('.');
  const shift = Math.max(0, Math.ceil((fraction.length - moneyDecimals) / 3) * 3);
  if (shift === 0) return { amount, per };
  const digits = fraction.padEnd(shift, '0');
  const shifted = tidy(`${whole}${digits.slice(0, shift)}`, digits.slice(shift));
  if (shifted === null) throw new RangeError(`${amount} has too many digits`);
  return { amount: shifted, per: per + '0'.repeat(shift) };
};

const hundred = parseMoney('100');

/** Adds a percentage of it to an amount; half up to 12 decimals, where there are more. */
export const addPercent = (amount: string, percent: string): string => {
  const sum = divideHalfUp(parseMoney(amount) * (hundred + parseMoney(percent)), hundred);
  if (sum > moneyMax) throw new RangeError('the amount is too large');
  return formatMoney(sum);
};
