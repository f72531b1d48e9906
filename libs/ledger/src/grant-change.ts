import { z } from 'zod';
import { parseMoney, type Money } from '@kilotoken/money';
import { amountSchema, counterAccountSchema, referenceSchema } from './grant.js';

/**
 * The ways in which a person or a payment changes a grant, each once per reference. A grant of 10 USD, of which a gateway has leased 4:
 *
 *   refund of 3              3 at once                          available 3, leased 4
 *   refund of 5 more         3 at once, 2 when leases return    available 0, leased 4
 *   the lease returns 4      2 to the refund                    available 2, leased 0
 *   adjustment by −0.5                                          available 1.5
 *   transfer of 1            1 to a child organization          available 0.5
 *   refund without amount    0.5, and the grant is closed       available 0
 */
const reason = z.string().trim().min(1, 'must not be empty').max(500);
const change = { organizationId: z.uuid(), grantId: z.uuid(), reference: referenceSchema, reason };

export const grantRefundSchema = z.strictObject({
  ...change,
  /** Null: all that remains. */
  amount: amountSchema.nullish(),
  /** The account that pays the refund; null: the one that the grant was issued against. */
  counterAccount: counterAccountSchema,
});
export type GrantRefundRequest = z.input<typeof grantRefundSchema>;

const signedAmount = z.string().transform((text, context): Money => {
  try {
    const money = parseMoney(text);
    if (money !== 0n) return money;
  } catch {
    // The issue below names the correction for both: no exact amount, and zero.
  }
  context.addIssue({ code: 'custom', message: 'must be an amount other than zero with at most 26 digits before and 12 after the point, such as "5" or "-0.25"' });
  return z.NEVER;
});

export const grantAdjustmentSchema = z.strictObject({ ...change, amount: signedAmount, counterAccount: counterAccountSchema });
export type NewGrantAdjustment = z.input<typeof grantAdjustmentSchema>;

export const grantTransferSchema = z.strictObject({ ...change, toOrganizationId: z.uuid(), amount: amountSchema });
export type NewGrantTransfer = z.input<typeof grantTransferSchema>;

export interface GrantRefund {
  readonly id: string;
  readonly grantId: string;
  readonly reference: string;
  /** Null: all that remains. */
  readonly asked: Money | null;
  /** So far. When the refund has ended, it may be less than asked: requests have used the rest meanwhile. */
  readonly refunded: Money;
  /** False while gateways hold some of it; metering ends it when they have returned it, and so does asking again. */
  readonly hasEnded: boolean;
}

export interface GrantTransfer {
  readonly id: string;
  readonly grantId: string;
  readonly reference: string;
  readonly amount: Money;
  readonly toOrganizationId: string;
  readonly toGrantId: string;
}
