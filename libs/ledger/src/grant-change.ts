import { z } from 'zod';
import { parseMoney, type Money } from '@kilotoken/money';
import { referenceSchema } from './grant.js';

/**
 * The two ways in which a person changes a grant. A refund closes it: gateways give back what they hold idle, and once nothing is
 * leased, what is available is refunded. An adjustment adds to it or takes from it what is available. Both are done once per reference.
 */
const reason = z.string().trim().min(1, 'a reason is needed').max(500);

export const grantRefundSchema = z.strictObject({ organizationId: z.uuid(), grantId: z.uuid(), reference: referenceSchema, reason });
export type GrantRefundRequest = z.input<typeof grantRefundSchema>;

const signedAmount = z.string().transform((text, context): Money => {
  try {
    const money = parseMoney(text);
    if (money !== 0n) return money;
  } catch {
    // Said below: what is no exact amount and what is nothing need the same correction.
  }
  context.addIssue({ code: 'custom', message: 'an amount other than zero with at most 26 digits before and 12 after the point is needed, such as "5" or "-0.25"' });
  return z.NEVER;
});

export const grantAdjustmentSchema = z.strictObject({ organizationId: z.uuid(), grantId: z.uuid(), amount: signedAmount, reference: referenceSchema, reason });
export type NewGrantAdjustment = z.input<typeof grantAdjustmentSchema>;

export interface GrantRefund {
  readonly grantId: string;
  readonly reference: string;
  /** Null while gateways still hold some of it; asking again, or the metering process, finishes it. */
  readonly refunded: Money | null;
}
