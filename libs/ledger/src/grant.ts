import { z } from 'zod';
import { parseMoney, type Money } from '@kilotoken/money';

/**
 * A grant is an amount of a unit that an organization may spend: a package, a prepaid balance, a promotion, … They differ in
 * their fields only. Its `reference` names its order or payment and makes issuing it again harmless.
 */
export const grantSources = ['package', 'prepaid', 'promotion', 'free_quota', 'allowance', 'commitment', 'sla_credit', 'credit_line'] as const;
export type GrantSource = (typeof grantSources)[number];

const scopeModelsMax = 200;

/** Names the order, payment or ticket behind a change. The same change under the same reference again changes nothing. */
export const referenceSchema = z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must have 1 to 200 visible ASCII characters');

export const amountSchema = z.string({ error: 'must be an exact decimal string, such as "10.00"' }).transform((text, context): Money => {
  try {
    const money = parseMoney(text);
    if (money > 0n) return money;
  } catch {
    // The issue below names the correction for both: no exact amount, and none above zero.
  }
  context.addIssue({ code: 'custom', message: 'must be an amount above zero with at most 26 digits before and 12 after the point, such as "10.00"' });
  return z.NEVER;
});

export const unitSchema = z.string().regex(/^([A-Z]{3}|[a-z][a-z0-9-]{1,62})$/, 'must be a currency such as USD, or a pack unit (lower-case letters, digits, dashes)');

/** The account that stands against a grant; the chart says which a source may have. Null: its source's usual one. */
export const counterAccountSchema = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be the name of an account, such as cash_clearing').nullish();

export const newGrantSchema = z.strictObject({
  organizationId: z.uuid(),
  unit: unitSchema,
  amount: amountSchema,
  source: z.enum(grantSources),
  reference: referenceSchema,
  /** Lower burns first. */
  priority: z.int().min(0).max(32_767).default(100),
  /** Null: every model. */
  scopeModels: z
    .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/, 'must be the id of a model'))
    .min(1, 'must name at least one model; omit it for all')
    .max(scopeModelsMax)
    .nullish(),
  effectiveAt: z.date().nullish(),
  expiresAt: z.date().nullish(),
  counterAccount: counterAccountSchema,
});
export type NewGrant = z.input<typeof newGrantSchema>;

export interface GrantBalance {
  readonly id: string;
  readonly source: string;
  readonly unit: string;
  readonly reference: string;
  readonly priority: number;
  readonly scopeModels: readonly string[] | null;
  /** The issued amount and all adjustments since. */
  readonly granted: Money;
  /** Refunded, expired, rolled over or transferred. */
  readonly removed: Money;
  /** The amount for new requests; includes idle leases of gateways. */
  readonly available: Money;
  /** The holds of running requests that have lasted long enough for an open row. */
  readonly held: Money;
  readonly used: Money;
  readonly effectiveAt: Date;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
}
