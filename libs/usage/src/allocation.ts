/** Which grants and leases pay a charge: a row of money that moved. Pure. */
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import { z } from 'zod';
import { amountSchema } from './amount.js';

/** As it stands in `usage.allocations`: whole tokens, an exact amount of the unit. */
export const allocationSchema = z.object({
  grant: z.uuid(),
  lease: z.uuid(),
  unit: z.string().min(1),
  /** Absent where a settlement was replayed: what pays then is not what was held. */
  tokens: z.int().min(0).optional(),
  amount: amountSchema,
});
export type Allocation = z.infer<typeof allocationSchema>;

/** The part of a unit's charge that a lease pays. */
export interface LeasePayment {
  readonly leaseId: string;
  readonly grantId: string;
  readonly amount: Money;
}

/**
 * Gives each payment its share of the unit's tokens: whole ones, in proportion to the amounts, and the last payment what is left. The
 * payments add up to `charge`.
 */
export const allocateTokens = (unit: string, payments: readonly LeasePayment[], charge: Money, tokens: number): Allocation[] => {
  let left = tokens;
  return payments.map(({ leaseId, grantId, amount }, index) => {
    const share = index === payments.length - 1 ? left : Number((BigInt(tokens) * amount) / charge);
    left -= share;
    return { grant: grantId, lease: leaseId, unit, tokens: share, amount: formatMoney(amount) };
  });
};

export const sumOfAllocations = (allocations: readonly Allocation[], unit: string): Money =>
  allocations.reduce((sum, allocation) => (allocation.unit === unit ? sum + parseMoney(allocation.amount) : sum), 0n);
