/**
 * The rater's arithmetic: recomputes what each usage row cost from its counts and its pinned price version, and adds up what
 * is to be posted and counted. Pure; nothing that the gateway computed is taken on trust.
 */
import type { TokenCounts } from '@kilotoken/contracts';
import { minMoney, type Money } from '@kilotoken/money';
import { type CounterIncrement, type PriceVersion, rateUsage, startCounting } from '@kilotoken/pricing';

export interface UnratedRow {
  readonly id: string;
  readonly attempt: number;
  readonly counts: TokenCounts;
  readonly hold: Money;
  readonly rated: Money;
  readonly charge: Money;
  readonly cost: Money;
  readonly settledAtMs: number;
}

/** Usage rows of one key at one price. They are read in turn, from text: a rating takes tens of thousands, and need not have all in memory at once. */
export interface UnratedGroup {
  readonly organizationId: string;
  readonly accountRootId: string;
  readonly apiKeyId: string;
  readonly priceVersionId: string;
  readonly unit: string;
  readonly costCurrency: string;
  readonly firstSettledMs: number;
  readonly lastSettledMs: number;
  readonly rows: Iterable<UnratedRow>;
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
  readonly organizationId: string;
  readonly priceVersionId: string;
  readonly usage: UnratedRow;
  /** What the pinned version says; null when it cannot rate these counts at all. */
  readonly rated: Money | null;
}

export interface RatingResult {
  readonly rows: number;
  readonly totals: readonly PostingTotal[];
  /** Rows per account root. */
  readonly roots: ReadonlyMap<string, number>;
  readonly counted: readonly CounterIncrement[];
  /** When each key was last used, by key. */
  readonly keysUsed: ReadonlyMap<string, { organizationId: string; apiKeyId: string; usedAtMs: number }>;
  /** Rows whose charge is not what their price version says: the books keep what was charged, and somebody looks at it. */
  readonly mismatches: readonly Mismatch[];
}

/** What the pinned version says a row costs; null when it does not price these counts. */
const ratedOf = (counts: TokenCounts, price: PriceVersion | undefined): Money | null => {
  if (!price) return null;
  try {
    return rateUsage(counts, price.rates).total;
  } catch {
    // Whatever a row holds that cannot be rated: it must not keep the others from being rated, and somebody looks at it.
    return null;
  }
};

const isCharged = (usage: UnratedRow, rated: Money | null): boolean => rated !== null && rated === usage.rated && minMoney(rated, usage.hold) === usage.charge;

export const rateBatch = (groups: Iterable<UnratedGroup>, prices: ReadonlyMap<string, PriceVersion>): RatingResult => {
  const totals = new Map<string, PostingTotal[]>();
  const roots = new Map<string, number>();
  const keysUsed = new Map<string, { organizationId: string; apiKeyId: string; usedAtMs: number }>();
  const mismatches: Mismatch[] = [];
  const counting = startCounting();
  let rows = 0;
  for (const { organizationId, accountRootId, apiKeyId, priceVersionId, unit, costCurrency, lastSettledMs, rows: usages } of groups) {
    let ofOrganization = totals.get(organizationId);
    if (!ofOrganization) totals.set(organizationId, (ofOrganization = []));
    let total = ofOrganization.find((known) => known.unit === unit && known.costCurrency === costCurrency);
    if (!total) ofOrganization.push((total = { organizationId, unit, costCurrency, charge: 0n, rated: 0n, cost: 0n }));

    const price = prices.get(priceVersionId);
    const rowsBefore = rows;
    for (const usage of usages) {
      rows += 1;
      const rated = ratedOf(usage.counts, price);
      if (!isCharged(usage, rated)) mismatches.push({ organizationId, priceVersionId, usage, rated });
      total.charge += usage.charge;
      total.rated += usage.rated;
      total.cost += usage.cost;
      counting.count(accountRootId, usage);
    }

    roots.set(accountRootId, (roots.get(accountRootId) ?? 0) + rows - rowsBefore);
    const used = keysUsed.get(apiKeyId);
    if (!used) keysUsed.set(apiKeyId, { organizationId, apiKeyId, usedAtMs: lastSettledMs });
    else if (used.usedAtMs < lastSettledMs) used.usedAtMs = lastSettledMs;
  }
  return { rows, totals: [...totals.values()].flat(), roots, counted: counting.increments(), keysUsed, mismatches };
};
