import type { Money } from '@kilotoken/money';
import type { TokenClass } from './tokens.js';

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
