import { formatMoney, parseMoney } from '@kilotoken/money';
import { numberFormat } from './formatters.ts';

/**
 * Writes exact decimals for a reader. An amount is a string from the api to the screen: Intl formats decimal strings digit by digit, so no amount is ever a
 * `number`.
 *
 *   formatAmount('1234.5000001', 'USD', 'en-US') → whole '$1,234.50', tail '00001'
 */
export interface AmountText {
  /** To the unit's usual decimals. */
  readonly head: string;
  /** Further decimals, which are shown quieter; empty for most amounts. */
  readonly tail: string;
  /** A currency's sign where the locale writes it last, or a unit's name. */
  readonly after: string;
}

const decimalsMax = 12;
const usualDecimalsOf = (unit: string, locale: string): number =>
  isCurrency(unit) ? (numberFormat(locale, { style: 'currency', currency: unit }).resolvedOptions().maximumFractionDigits ?? 2) : 0;

const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));
export const isCurrency = (unit: string): boolean => currencies.has(unit);

const formatterOf = (unit: string, locale: string): Intl.NumberFormat => {
  const style: Intl.NumberFormatOptions = isCurrency(unit) ? { style: 'currency', currency: unit, currencyDisplay: 'narrowSymbol' } : { style: 'decimal' };
  return numberFormat(locale, { ...style, minimumFractionDigits: usualDecimalsOf(unit, locale), maximumFractionDigits: decimalsMax });
};

export const formatAmount = (value: string, unit: string, locale: string): AmountText => {
  const usual = usualDecimalsOf(unit, locale);
  let head = '';
  let tail = '';
  let after = '';
  let hasDigits = false;
  for (const { type, value: text } of formatterOf(unit, locale).formatToParts(value as Intl.StringNumericLiteral)) {
    if (type === 'fraction') {
      head += text.slice(0, usual);
      tail += text.slice(usual);
    } else if (type === 'decimal') {
      // The point of a unit without usual decimals belongs to the tail.
      if (usual === 0) tail += text;
      else head += text;
    } else if (type === 'integer' || type === 'group' || !hasDigits) {
      head += text;
      hasDigits ||= type === 'integer';
    } else {
      after += text;
    }
  }
  return { head, tail, after: isCurrency(unit) ? after : ` ${unit}` };
};

export const amountText = (value: string, unit: string, locale: string): string => {
  const { head, tail, after } = formatAmount(value, unit, locale);
  return head + tail + after;
};

/** Exact whole numbers: counts of tokens and requests, which may pass 2⁵³. */
export const countText = (value: string | number, locale: string): string => numberFormat(locale).format(value as Intl.StringNumericLiteral);

/** Short, for axes and tiles; never the only place where an amount is written. */
export const shortCount = (value: string | number, locale: string): string =>
  numberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 }).format(value as Intl.StringNumericLiteral);

export const shortAmount = (value: string | number, unit: string, locale: string): string => {
  const style: Intl.NumberFormatOptions = isCurrency(unit) ? { style: 'currency', currency: unit, currencyDisplay: 'narrowSymbol' } : {};
  const text = numberFormat(locale, { ...style, notation: 'compact', maximumSignificantDigits: 3 }).format(value as Intl.StringNumericLiteral);
  return isCurrency(unit) ? text : `${text} ${unit}`;
};

export const sumAmounts = (values: readonly string[]): string => formatMoney(values.reduce((sum, value) => sum + parseMoney(value), 0n));

/** How full a budget or limit is, from 0 to 1, for a bar's width alone. */
export const shareOf = (part: string, whole: string): number => {
  const total = parseMoney(whole);
  if (total <= 0n) return 0;
  return Math.min(1, Math.max(0, Number((parseMoney(part) * 10_000n) / total) / 10_000));
};

/** Reads an amount that a person typed; null when it is not a plain decimal. */
export const readAmount = (text: string): string | null => {
  try {
    return formatMoney(parseMoney(text.trim()));
  } catch {
    // Not an amount; the form says so.
    return null;
  }
};
