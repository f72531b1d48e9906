import { formatMoney, parseMoney } from '@kilotoken/money';

/** A NUMERIC as callers read it: without the zeros that the column's scale adds. */
export const exact = (text: string): string => formatMoney(parseMoney(text));
