import { formatMoney, parseMoney } from '@kilotoken/money';
import type { Balance } from './grant.type.js';
import type { BalanceRow } from './balance.store.js';

const dayMs = 86_400_000n;
const runsOutWithinMs = 3_653n * dayMs;

/**
 * A balance with its burn rate. 30 USD available, 14 USD burned in 7 days: 2 USD a day, so it runs out in 15 days.
 */
export const toBalance = (row: BalanceRow): Balance => {
  const burned = parseMoney(row.burned);
  const burnedMs = BigInt(Math.round((row.burnedDays ?? 1) * Number(dayMs)));
  const available = parseMoney(row.available);
  return {
    unit: row.unit,
    available: formatMoney(available),
    held: formatMoney(parseMoney(row.held)),
    granted: formatMoney(parseMoney(row.granted)),
    used: formatMoney(parseMoney(row.used)),
    burnPerDay: formatMoney((burned * dayMs) / burnedMs),
    runsOutOn: runsOutOn(available, burned, burnedMs, row.now),
    expiresNext: row.expiresNext,
  };
};

const runsOutOn = (available: bigint, burned: bigint, burnedMs: bigint, now: Date): Date | null => {
  if (burned <= 0n) return null;
  const leftMs = available <= 0n ? 0n : (available * burnedMs) / burned;
  return leftMs > runsOutWithinMs ? null : new Date(now.getTime() + Number(leftMs));
};
