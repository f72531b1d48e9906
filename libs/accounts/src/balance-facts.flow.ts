import { listGrants } from '@kilotoken/ledger';
import { maxMoney, type Money } from '@kilotoken/money';
import { readDatabaseNow, type RawDb } from '@kilotoken/platform';
import { isBudget, listLimits, type StoredLimit } from '@kilotoken/quota';
import { burnDays, burnPerDay, runsOutAt, type BalanceFacts } from './balance-facts.js';
import { listBudgetPeriods, listClosingGrantIds, listRecentUse } from './balance-facts.store.js';

const sum = <Item>(items: readonly Item[], of: (item: Item) => Money): Money => items.reduce((all, item) => all + of(item), 0n);

/** The facts of each unit that the organization has a grant of or used lately, by the name of the unit. Burn is by the rollups: some seconds behind. */
export const readBalanceFacts = async (db: RawDb, organizationId: string): Promise<BalanceFacts[]> => {
  const now = await readDatabaseNow(db);
  const closing = await listClosingGrantIds(db, organizationId);
  const grants = (await listGrants(db, organizationId)).filter(({ id, expiresAt }) => !closing.has(id) && (expiresAt === null || expiresAt > now));
  const recent = new Map((await listRecentUse(db, organizationId, burnDays)).map((use) => [use.unit, use]));
  const units = [...new Set([...grants.map(({ unit }) => unit), ...recent.keys()])].sort();
  return units.map((unit) => {
    const own = grants.filter((grant) => grant.unit === unit);
    const current = own.filter(({ effectiveAt }) => effectiveAt <= now);
    const use = recent.get(unit);
    const burn = burnPerDay(use?.used ?? 0n, use?.firstUseAt ?? null, now);
    const ends = current.flatMap(({ available, expiresAt }) => (available > 0n && expiresAt !== null ? [expiresAt.getTime()] : []));
    return {
      unit,
      available: sum(current, ({ available }) => available),
      held: sum(current, ({ held }) => held),
      granted: sum(current, ({ granted, removed }) => granted - removed),
      used: sum(current, ({ used }) => used),
      burnPerDay: burn,
      runsOutAt: runsOutAt(own, burn, now),
      expiresNextAt: ends.length === 0 ? null : new Date(Math.min(...ends)),
    };
  });
};

/** A budget with its present period. */
export interface BudgetState {
  readonly limit: StoredLimit;
  /** Counted now, with the part that gateways have set aside; null of end users, each of whom has an amount of their own. */
  readonly used: Money | null;
  readonly left: Money | null;
  readonly periodStart: Date;
  readonly periodEnd: Date;
  /** The percents that were told in this period. */
  readonly alerted: readonly number[];
}

/** In the order of their making. */
export const listBudgets = async (db: RawDb, organizationId: string): Promise<BudgetState[]> => {
  const periods = new Map((await listBudgetPeriods(db, organizationId)).map((period) => [period.limitId, period]));
  return (await listLimits(db, organizationId)).filter(isBudget).flatMap((limit) => {
    const period = periods.get(limit.id);
    if (!period) return [];
    const { periodStart, periodEnd, alerted } = period;
    return [{ limit, used: limit.counted, left: limit.counted === null ? null : maxMoney(0n, limit.amount - limit.counted), periodStart, periodEnd, alerted }];
  });
};
