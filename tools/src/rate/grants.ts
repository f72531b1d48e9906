/**
 * Grants that pay for rated usage, in burn order: lower priority first, then the one that expires sooner, then promotions, then the older one. Packs that
 * come before the first money grant pay for whole tokens before anything is rated; money pays for rated lines. The same arithmetic as `ratePortions`.
 */
import { coveredTokens, instantOf, oneUnit, sideOf, type GrantRow, type Meter, type Quantities, type RatedLineRow } from '@kilotoken/pricing';
import { formatMoney, minMoney, moneyRounding, parseMoney, priceOf, type Money } from '@kilotoken/money';

export interface Grant {
  readonly id: string;
  readonly unit: string;
  readonly account: string | null;
  readonly models: ReadonlySet<string> | null;
  readonly priority: number;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly promotional: boolean;
  /** Null: money. */
  readonly burns: Readonly<Partial<Record<Meter, Money>>> | null;
  left: Money;
}

export interface Payment {
  readonly account: string;
  readonly model: string;
  readonly atMs: number;
}

type Allocation = RatedLineRow['allocations'][number];

const isCurrency = (unit: string): boolean => /^[A-Z]{3}$/.test(unit);

export const openGrants = (rows: readonly GrantRow[], zone: string): Grant[] =>
  rows
    .map((row): Grant => ({
      id: row.grant,
      unit: row.unit,
      account: row.account ?? null,
      models: row.scope ? new Set(row.scope.models.map((model) => model.toLowerCase())) : null,
      priority: Number(row.priority ?? '100'),
      fromMs: row.effective_at === undefined ? -Infinity : instantOf(row.effective_at, zone),
      untilMs: row.expires_at === undefined ? Infinity : instantOf(row.expires_at, zone),
      promotional: row.promotional ?? false,
      burns: isCurrency(row.unit) ? null : Object.fromEntries(Object.entries(row.burns ?? {}).map(([meter, weight]) => [meter, parseMoney(weight!)])),
      left: parseMoney(row.amount),
    }))
    .sort(byBurnOrder);

/** Equal infinities subtract to NaN, and `||` passes on to the next criterion. */
const byBurnOrder = (a: Grant, b: Grant): number =>
  a.priority - b.priority || a.untilMs - b.untilMs || Number(b.promotional) - Number(a.promotional) || a.fromMs - b.fromMs || (a.id < b.id ? -1 : 1);

/** Mistakes in grants that their schema cannot see, with the index of the row. */
export const checkGrants = (rows: readonly GrantRow[]): { readonly index: number; readonly key: string; readonly message: string }[] =>
  rows.flatMap(({ grant, unit, burns, effective_at, expires_at }, index) => [
    ...(rows.findIndex((row) => row.grant === grant) < index ? [{ index, key: 'grant', message: `is the id of an earlier grant too: ${grant}. Each needs its own` }] : []),
    ...(!isCurrency(unit) && !burns ? [{ index, key: 'unit', message: `is a pack: write what a token burns of it, such as burns: { input: 1, output: 4 }` }] : []),
    ...(isCurrency(unit) && burns ? [{ index, key: 'burns', message: 'is for packs. Money pays what the price book says' }] : []),
    ...(effective_at !== undefined && expires_at !== undefined && instantOf(effective_at, 'UTC') >= instantOf(expires_at, 'UTC') ? [{ index, key: 'expires_at', message: 'is not after effective_at: the grant pays for nothing' }] : []),
  ]);

const mayPay = ({ account, models, fromMs, untilMs, left }: Grant, payment: Payment): boolean =>
  left > 0n && (account === null || account === payment.account) && (models === null || models.has(payment.model)) && payment.atMs >= fromMs && payment.atMs < untilMs;

export interface PackPayment {
  readonly grant: Grant;
  readonly meter: Meter;
  readonly tokens: bigint;
  readonly weight: Money;
  readonly amount: Money;
}

/** Takes from packs what they pay of a usage: whole tokens, class by class. */
export const payFromPacks = (grants: readonly Grant[], payment: Payment, quantities: Quantities): PackPayment[] => {
  const paid: PackPayment[] = [];
  const left: Partial<Record<Meter, bigint>> = { ...quantities };
  for (const grant of grants) {
    if (!mayPay(grant, payment)) continue;
    if (!grant.burns) break;
    for (const meter of Object.keys(quantities) as Meter[]) {
      const weight = grant.burns[meter] ?? (sideOf[meter] ? grant.burns[sideOf[meter]] : undefined);
      const tokens = Number((left[meter] ?? 0n) / oneUnit);
      if (weight === undefined || tokens === 0) continue;
      const covered = BigInt(coveredTokens(tokens, { amount: weight, per: 1n }, moneyRounding, grant.left));
      if (covered === 0n) continue;
      const amount = priceOf(covered, weight, 1n);
      grant.left -= amount;
      left[meter] = left[meter]! - covered * oneUnit;
      paid.push({ grant, meter, tokens: covered, weight, amount });
    }
  }
  return paid;
};

/** Takes a line's amount from money, and answers what none pays for. Tokens are those that the amount so far pays for, rounded down. */
export const payFromMoney = (grants: readonly Grant[], payment: Payment, line: { readonly currency: string; readonly amount: Money; readonly quantity: bigint }): { readonly allocations: Allocation[]; readonly uncovered: Money } => {
  const allocations: Allocation[] = [];
  let paid: Money = 0n;
  let tokensBefore = 0n;
  for (const grant of grants) {
    if (paid >= line.amount) break;
    if (grant.burns || grant.unit !== line.currency || !mayPay(grant, payment)) continue;
    const amount = minMoney(grant.left, line.amount - paid);
    grant.left -= amount;
    paid += amount;
    const tokens = paid === line.amount ? line.quantity : ((line.quantity * paid) / line.amount / oneUnit) * oneUnit;
    allocations.push({ grant: grant.id, unit: grant.unit, tokens: formatMoney(tokens - tokensBefore), amount: formatMoney(amount) });
    tokensBefore = tokens;
  }
  return { allocations, uncovered: line.amount > paid ? line.amount - paid : 0n };
};
