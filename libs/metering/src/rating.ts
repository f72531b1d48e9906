/**
 * The rater's arithmetic: recomputes what each usage row cost from its counts and its pinned price version, and adds up what
 * is to be posted. Pure; nothing that the gateway computed is taken on trust.
 */
import type { PriceVersion, TokenCounts } from '@kilotoken/contracts';
import { minMoney, type Money } from '@kilotoken/money';
import { rateUsage } from '@kilotoken/pricing';

export interface UnratedUsage {
  readonly organizationId: string;
  readonly accountRootId: string;
  readonly id: string;
  readonly attempt: number;
  readonly apiKeyId: string;
  readonly priceVersionId: string;
  readonly counts: TokenCounts;
  readonly unit: string;
  readonly hold: Money;
  readonly rated: Money;
  readonly charge: Money;
  readonly cost: Money;
  readonly costCurrency: string;
  readonly settledAtMs: number;
}

/** What an organization's rows of one rating add up to, per unit and cost currency. */
export interface PostingTotal {
  readonly organizationId: string;
  readonly unit: string;
  readonly costCurrency: string;
  charge: Money;
  rated: Money;
  cost: Money;
}

export interface Mismatch {
  readonly usage: UnratedUsage;
  /** What the pinned version says; null when it cannot rate these counts at all. */
  readonly rated: Money | null;
}

export interface RatingResult {
  readonly totals: readonly PostingTotal[];
  /** Rows per account root. */
  readonly roots: ReadonlyMap<string, number>;
  /** When each key was last used, by organization and key. */
  readonly keysUsed: ReadonlyMap<string, { organizationId: string; apiKeyId: string; usedAtMs: number }>;
  /** Rows whose charge is not what their price version says: the books keep what was charged, and somebody looks at it. */
  readonly mismatches: readonly Mismatch[];
}

/** What the pinned version says a row costs; null when it does not price these counts. */
const ratedOf = (usage: UnratedUsage, price: PriceVersion | undefined): Money | null => {
  if (!price) return null;
  try {
    return rateUsage(usage.counts, price.rates).total;
  } catch {
    // Whatever a row holds that cannot be rated: it must not keep the others from being rated, and somebody looks at it.
    return null;
  }
};

const isCharged = (usage: UnratedUsage, rated: Money | null): boolean => rated !== null && rated === usage.rated && minMoney(rated, usage.hold) === usage.charge;

export const rateBatch = (rows: readonly UnratedUsage[], prices: ReadonlyMap<string, PriceVersion>): RatingResult => {
  // Found by organization first: a key of several parts, made for each row, would cost more than its arithmetic.
  const totals = new Map<string, PostingTotal[]>();
  const roots = new Map<string, number>();
  const keysUsed = new Map<string, { organizationId: string; apiKeyId: string; usedAtMs: number }>();
  const mismatches: Mismatch[] = [];
  for (const usage of rows) {
    const { organizationId, unit, costCurrency, accountRootId, apiKeyId, settledAtMs } = usage;
    const rated = ratedOf(usage, prices.get(usage.priceVersionId));
    if (!isCharged(usage, rated)) mismatches.push({ usage, rated });

    let ofOrganization = totals.get(organizationId);
    if (!ofOrganization) totals.set(organizationId, (ofOrganization = []));
    let total = ofOrganization.find((known) => known.unit === unit && known.costCurrency === costCurrency);
    if (!total) ofOrganization.push((total = { organizationId, unit, costCurrency, charge: 0n, rated: 0n, cost: 0n }));
    total.charge += usage.charge;
    total.rated += usage.rated;
    total.cost += usage.cost;

    roots.set(accountRootId, (roots.get(accountRootId) ?? 0) + 1);
    const used = keysUsed.get(apiKeyId);
    if (!used) keysUsed.set(apiKeyId, { organizationId, apiKeyId, usedAtMs: settledAtMs });
    else if (used.usedAtMs < settledAtMs) used.usedAtMs = settledAtMs;
  }
  return { totals: [...totals.values()].flat(), roots, keysUsed, mismatches };
};
