import { burnPerDay, runsOutAt } from '@kilotoken/accounts';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { exact } from '../shapes/exact.js';
import type { Balance } from './grant.type.js';
import type { BalanceRow } from './balance.store.js';

/** A balance with its burn rate. 30 USD available, 14 USD burned in 7 days: 2 USD a day, so it runs out in 15 days. */
export const toBalance = (row: BalanceRow): Balance => {
  const burn = burnPerDay(parseMoney(row.burned), row.firstUseAt, row.now);
  const grants = row.grants.map(({ available, effectiveAt, expiresAt }) => ({
    available: parseMoney(available), effectiveAt: new Date(effectiveAt), expiresAt: expiresAt === null ? null : new Date(expiresAt),
  }));
  return {
    unit: row.unit,
    available: exact(row.available),
    held: exact(row.held),
    granted: exact(row.granted),
    used: exact(row.used),
    burnPerDay: formatMoney(burn),
    runsOutOn: runsOutAt(grants, burn, row.now),
    expiresNext: row.expiresNext,
  };
};
