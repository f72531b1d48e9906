import { formatMoney, parseMoney } from '@kilotoken/money';
import { z } from 'zod';

/** Where an organization is told what it should know, and below which balance of a unit it is told that one is low. */
export interface NoticeSettings {
  readonly organizationId: string;
  /** Null: nowhere. */
  readonly email: string | null;
  readonly thresholds: readonly BalanceThreshold[];
}

export interface BalanceThreshold {
  readonly unit: string;
  readonly threshold: string;
  readonly isLow: boolean;
}

/** Units with a threshold in one organization. */
export const thresholdsMax = 20;

/** One address of the form that SMTP knows without extensions; no name before it, no list, nothing that could end a header. */
export const emailSchema = z.email({ error: 'one address such as billing@example.com is needed' }).max(254);

const thresholdSchema = z.string().transform((text, context) => {
  try {
    const amount = parseMoney(text);
    if (amount > 0n) return formatMoney(amount);
  } catch {
    // Said below, in the same words.
  }
  context.addIssue({ code: 'custom', message: 'an amount above zero such as 5 or 0.25 is needed' });
  return z.NEVER;
});

/** What is left out stays as it is; null takes it away. */
export const noticeChangeSchema = z
  .strictObject({
    organizationId: z.uuid(),
    email: emailSchema.nullable().optional(),
    balanceLow: z.strictObject({ unit: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}$/, 'a unit such as USD is needed'), threshold: thresholdSchema.nullable() }).optional(),
  })
  .refine(({ email, balanceLow }) => email !== undefined || balanceLow !== undefined, 'there is nothing to change');
export type NoticeChange = z.input<typeof noticeChangeSchema>;
