import { amountSchema, unitSchema } from '@kilotoken/ledger';
import type { Money } from '@kilotoken/money';
import { z } from 'zod';

/**
 * A rule keeps an organization of the account tree in funds: when the child's balance of a unit is below the threshold, the amount is transferred from
 * the parent's grants, up to the cap in a calendar month of UTC.
 *
 *   threshold 5, amount 20, cap 50; the child has 4   20 is transferred    24, of the cap 30 is left
 *   a week later it has 3                              20                   23, 10 is left
 *   the next day it has 4                              10, the cap's rest   14, nothing is left until the month ends
 */
export interface TransferRule {
  readonly organizationId: string;
  readonly childId: string;
  readonly unit: string;
  readonly threshold: Money;
  readonly amount: Money;
  readonly capPerMonth: Money;
  /** In this month. */
  readonly transferred: Money;
  readonly createdAt: Date;
}

export const newTransferRuleSchema = z
  .strictObject({ organizationId: z.uuid(), childId: z.uuid(), unit: unitSchema, threshold: amountSchema, amount: amountSchema, capPerMonth: amountSchema })
  .refine(({ amount, capPerMonth }) => amount <= capPerMonth, { path: ['capPerMonth'], error: 'must be at least the amount' });
export type NewTransferRule = z.input<typeof newTransferRuleSchema>;

export const transferRulePlaceSchema = z.strictObject({ organizationId: z.uuid(), childId: z.uuid(), unit: unitSchema });
export type TransferRulePlace = z.input<typeof transferRulePlaceSchema>;
