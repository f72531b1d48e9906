/** Rates usage rows one after another: packs first, then the price book, then money. Answers the lines as they are published. */
import { closePeriods, compileBook, createCounters, instantOf, oneUnit, parseQuantity, periodAt, rateWithBook, type ClosingLine, type CounterRow, type GrantRow, type PriceBook, type Quantities, type RatableUsage, type RatedLine, type RatedLineRow, type UsageRow } from '@kilotoken/pricing';
import { formatMoney, type Money } from '@kilotoken/money';
import { openGrants, payFromMoney, payFromPacks, type PackPayment, type Payment } from './grants.js';

const defaultAccount = 'account';

export interface Rater {
  /** Lines, or the class that has no price. */
  rate(row: UsageRow): RatedLineRow[] | { readonly refused: string };
  /** The lines of the periods that end up to a moment. */
  close(untilMs: number): RatedLineRow[];
  totals(): Record<string, string>;
}

/** Throws a RangeError for a counter of an accumulator that the book does not have. */
export const createRater = (book: PriceBook, counterRows: readonly CounterRow[], grantRows: readonly GrantRow[] | null): Rater => {
  const compiled = compileBook(book);
  const counters = createCounters(counterRows.map((row) => counterOf(row, book)));
  const grants = grantRows && openGrants(grantRows, book.zone);
  const totals = new Map<string, Money>();
  const add = (currency: string, amount: Money): unknown => totals.set(currency, (totals.get(currency) ?? 0n) + amount);
  const publish = (line: RatedLine, payment: Payment): RatedLineRow => {
    add(line.currency, line.amount);
    return lineOf(line, grants ? payFromMoney(grants, payment, line) : null);
  };
  return {
    rate: (row) => {
      const usage = usageOf(row);
      const model = compiled.nameOf(row.model);
      const payment = { account: usage.account, model: model === '*' ? row.model.toLowerCase() : model, atMs: usage.atMs };
      const packed = grants ? payFromPacks(grants, payment, usage.quantities) : [];
      const lines = rateWithBook(compiled, packed.length === 0 ? usage : withoutPacked(usage, packed), counters);
      if ('refused' in lines) return { refused: lines.class };
      for (const { grant, amount } of packed) add(grant.unit, amount);
      return [...packed.map((paid) => packLine(row.usage_id, paid)), ...lines.map((line) => publish(line, payment))];
    },
    close: (untilMs) =>
      closePeriods(compiled, counters, untilMs).map((line: ClosingLine) => ({
        ...publish(line, { account: line.account, model: '', atMs: line.period.endMs - 1 }),
        account: line.account,
        period: { start: new Date(line.period.startMs).toISOString(), end: new Date(line.period.endMs).toISOString() },
      })),
    totals: () => Object.fromEntries([...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([currency, amount]) => [currency, formatMoney(amount)])),
  };
};

const counterOf = ({ accumulator, account, period_start, counted, zone }: CounterRow, book: PriceBook) => {
  const row = book.accumulators[accumulator];
  if (!row) throw new RangeError(`names an accumulator that the book does not have: ${accumulator}`);
  const periodZone = zone ?? book.zone;
  return { name: accumulator, account, zone: periodZone, ...periodAt(row.period, instantOf(period_start, periodZone), periodZone, book.contract?.starts ?? null), counted: parseQuantity(counted) };
};

const usageOf = (row: UsageRow): RatableUsage => ({
  usageId: row.usage_id,
  model: row.model,
  atMs: Date.parse(row.at),
  tier: row.tier ?? 'default',
  mode: row.mode ?? 'realtime',
  region: row.region,
  account: row.account ?? defaultAccount,
  root: row.root,
  zone: row.zone,
  currency: row.currency,
  quantities: Object.fromEntries(Object.entries(row.quantities).map(([meter, quantity]) => [meter, parseQuantity(quantity!)])),
});

const withoutPacked = (usage: RatableUsage, paid: readonly PackPayment[]): RatableUsage => {
  const quantities: Record<string, bigint> = { ...usage.quantities };
  const packed: Record<string, bigint> = {};
  for (const { meter, tokens } of paid) {
    quantities[meter] = quantities[meter]! - tokens * oneUnit;
    packed[meter] = (packed[meter] ?? 0n) + tokens * oneUnit;
  }
  return { ...usage, quantities: quantities as Quantities, packed: packed as Quantities };
};

const packLine = (usageId: string, { grant, meter, tokens, weight, amount }: PackPayment): RatedLineRow => ({
  usage_id: usageId,
  rate_id: `pack ${grant.unit}`,
  class: meter,
  quantity: String(tokens),
  unit_price: formatMoney(weight),
  per: '1',
  amount: formatMoney(amount),
  currency: grant.unit,
  discounts: [],
  allocations: [{ grant: grant.id, unit: grant.unit, tokens: String(tokens), amount: formatMoney(amount) }],
});

const lineOf = (line: RatedLine, paid: ReturnType<typeof payFromMoney> | null): RatedLineRow => ({
  usage_id: line.usageId,
  rate_id: line.rateId,
  class: line.class,
  quantity: formatMoney(line.quantity),
  unit_price: line.unitPrice === null ? null : formatMoney(line.unitPrice),
  per: String(line.per),
  amount: formatMoney(line.amount),
  currency: line.currency,
  discounts: line.discounts.map(({ id, amount }) => ({ id, amount: formatMoney(amount) })),
  allocations: paid?.allocations ?? [],
  ...(paid && paid.uncovered > 0n ? { uncovered: formatMoney(paid.uncovered) } : {}),
  ...(line.reason === undefined ? {} : { reason: line.reason }),
});
