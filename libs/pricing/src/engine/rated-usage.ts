/** A usage to be rated by a price book, and its charge lines. */
import type { Money } from '@kilotoken/money';
import type { Meter } from '../book/book-values.js';
import type { LineDiscount } from './discount.js';
import type { Quantities, Quantity } from './quantity.js';
import type { Circumstances } from './select.js';

export interface RatableUsage extends Circumstances {
  readonly usageId: string;
  readonly model: string;
  /** To be priced. A request that does not say how many requests it is counts as one. */
  readonly quantities: Quantities;
  /** Paid by packs: without lines, but part of the prompt's length and of accumulators that include packs. */
  readonly packed?: Quantities | undefined;
  /** The organization, whose counters these are. */
  readonly account: string;
  /** The root of its account tree. Default: the account. */
  readonly root?: string | undefined;
  /** Selects the period of its counters. Default: `atMs`, which selects prices and windows. */
  readonly settledAtMs?: number | undefined;
  /** In which its periods run. Default: the book's zone. */
  readonly zone?: string | undefined;
  /** Only rates in this currency. Default: all, the book's own currency first. */
  readonly currency?: string | undefined;
}

export interface RatedLine {
  /** Null: a line of a period's end. */
  readonly usageId: string | null;
  /** Of the rate, or of the term or discount for a line of a period's end. */
  readonly rateId: string;
  readonly class: Meter | null;
  readonly quantity: Quantity;
  /** For `per` units; null where a line has several prices, or is priced by packages or blocks. */
  readonly unitPrice: Money | null;
  readonly per: bigint;
  /** After discounts. */
  readonly amount: Money;
  readonly currency: string;
  readonly discounts: readonly LineDiscount[];
  readonly reason?: 'true_up' | 'minimum' | 'shortfall';
}

export interface Refusal {
  readonly refused: 'no_price';
  readonly class: Meter;
}
