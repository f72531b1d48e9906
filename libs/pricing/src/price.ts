import { tokenClasses, type TokenClass } from '@kilotoken/contracts';
import { formatMoney, type Money } from '@kilotoken/money';

/** `amount ÷ per` is the price of one token. A null amount is "no price" and refuses a request; zero is free. */
export interface Rate {
  amount: Money | null;
  per: bigint;
}

/** One model's price in one price book from a moment on; published once, never edited. */
export interface PriceVersion {
  id: string;
  currency: string;
  effectiveAtMs: number;
  rates: ReadonlyMap<TokenClass, Rate>;
}

/** A price as it is declared. The price of a token of a class is `rates[class] ÷ per`; null is "no price" and refuses, zero is free. */
export interface SalePrice {
  readonly currency: string;
  readonly per: bigint;
  readonly rates: Partial<Record<TokenClass, Money | null>>;
}

/** In the classes' order, as exact decimal strings. */
export const formatRates = (rates: Partial<Record<TokenClass, Money | null>>): Record<string, string | null> =>
  Object.fromEntries(
    tokenClasses.flatMap((name) => {
      const rate = rates[name];
      return rate === undefined ? [] : [[name, rate === null ? null : formatMoney(rate)]];
    }),
  );
