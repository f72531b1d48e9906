/**
 * The rater's arithmetic: recomputes what each usage row cost from its counts and its pinned price version, and adds up what
 * is to be posted and counted. Pure; nothing that the gateway computed is taken on trust.
 */
import { tokenClasses } from '@kilotoken/contracts';
import { moneyRounding, type Money } from '@kilotoken/money';
import { ratePortions, startCounting, type BurnTable, type CounterIncrement, type PriceVersion } from '@kilotoken/pricing';
import { portionsOf, totalIn, type UnitPortion, type UsageRow } from '@kilotoken/usage';

/** A usage row with its amounts read. */
export interface UnratedRow extends Readonly<Pick<UsageRow, 'id' | 'attempt' | 'counts'>> {
  /** The portion of each unit that paid; null where all is in the currency of the price. */
  readonly portions: readonly UnitPortion[] | null;
  /** These are of the currency of the price. */
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
  /** Those that its rows are pinned to. */
  readonly burnTableIds: readonly string[];
  readonly rows: Iterable<UnratedRow>;
}

/** The sums of an organization's rows in one rating, per unit and cost currency. */
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
  /** The amount in the currency of the price by the pinned versions; null when they cannot rate these counts at all. */
  readonly rated: Money | null;
}

/** The published versions that rows are pinned to, by id. */
export interface PinnedRates {
  readonly prices: ReadonlyMap<string, PriceVersion>;
  readonly burnTables: ReadonlyMap<string, BurnTable>;
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

interface Proof {
  readonly rated: Money | null;
  readonly isRight: boolean;
}

const unratable: Proof = { rated: null, isRight: false };

/** Rates a row again from its counts, what was held, and what it is pinned to. */
const proveRow = (usage: UnratedRow, unit: string, price: PriceVersion | undefined, burnTables: PinnedRates['burnTables']): Proof => {
  if (!price) return unratable;
  try {
    if (usage.portions) return provePortions(usage, usage.portions, unit, price, burnTables);
    const { rated, charge } = ratePortions(usage.counts, [{ rates: price.rates, rounding: moneyRounding, hold: usage.hold }])[0]!;
    return { rated, isRight: rated === usage.rated && charge === usage.charge };
  } catch {
    // A row that cannot be rated must not block the others; it goes to quarantine for a person.
    return unratable;
  }
};

const isSamePortion = (a: UnitPortion, b: UnitPortion): boolean => tokenClasses.every((name) => (a.counts[name] ?? 0) === (b.counts[name] ?? 0)) && a.rated === b.rated && a.charge === b.charge;

const provePortions = ({ counts, hold, rated, charge }: UnratedRow, stored: readonly UnitPortion[], unit: string, price: PriceVersion, burnTables: PinnedRates['burnTables']): Proof => {
  const held = stored.map((portion) => {
    const terms = portion.burnTableId === null ? { rates: price.rates, rounding: moneyRounding } : burnTables.get(portion.burnTableId);
    if (!terms || portion.unit !== ('unit' in terms ? terms.unit : unit)) throw new RangeError(`nothing says how ${portion.unit} burns`);
    return { ...portion, rates: terms.rates, rounding: terms.rounding };
  });
  const proven = portionsOf(counts, held);
  const money = totalIn(proven, unit);
  const agrees = money.hold === hold && money.rated === rated && money.charge === charge;
  return { rated: money.rated, isRight: agrees && proven.every((portion, index) => isSamePortion(portion, stored[index]!)) };
};

/** Sums of each organization's rows, by unit and cost currency. */
class Totals {
  private readonly byOrganization = new Map<string, PostingTotal[]>();

  of(organizationId: string, unit: string, costCurrency: string): PostingTotal {
    let known = this.byOrganization.get(organizationId);
    if (!known) this.byOrganization.set(organizationId, (known = []));
    let total = known.find((other) => other.unit === unit && other.costCurrency === costCurrency);
    if (!total) known.push((total = { organizationId, unit, costCurrency, charge: 0n, rated: 0n, cost: 0n }));
    return total;
  }

  list(): PostingTotal[] {
    return [...this.byOrganization.values()].flat();
  }
}

const nothing: readonly UnitPortion[] = [];

export const rateBatch = (groups: Iterable<UnratedGroup>, { prices, burnTables }: PinnedRates): RatingResult => {
  const totals = new Totals();
  const roots = new Map<string, number>();
  const keysUsed = new Map<string, { organizationId: string; apiKeyId: string; usedAtMs: number }>();
  const mismatches: Mismatch[] = [];
  const counting = startCounting();
  let rows = 0;
  for (const { organizationId, accountRootId, apiKeyId, priceVersionId, unit, costCurrency, lastSettledMs, rows: usages } of groups) {
    const total = totals.of(organizationId, unit, costCurrency);
    const price = prices.get(priceVersionId);
    const rowsBefore = rows;
    for (const usage of usages) {
      rows += 1;
      const { rated, isRight } = proveRow(usage, unit, price, burnTables);
      if (!isRight) mismatches.push({ organizationId, priceVersionId, usage, rated });
      total.charge += usage.charge;
      total.rated += usage.rated;
      total.cost += usage.cost;
      for (const portion of usage.portions ?? nothing) {
        if (portion.unit === unit) continue;
        const ofUnit = totals.of(organizationId, portion.unit, costCurrency);
        ofUnit.charge += portion.charge;
        ofUnit.rated += portion.rated;
      }
      counting.count(accountRootId, usage);
    }

    roots.set(accountRootId, (roots.get(accountRootId) ?? 0) + rows - rowsBefore);
    const used = keysUsed.get(apiKeyId);
    if (!used) keysUsed.set(apiKeyId, { organizationId, apiKeyId, usedAtMs: lastSettledMs });
    else if (used.usedAtMs < lastSettledMs) used.usedAtMs = lastSettledMs;
  }
  return { rows, totals: totals.list(), roots, counted: counting.increments(), keysUsed, mismatches };
};
