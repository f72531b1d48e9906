import { formatMoney, parseMoney } from '@kilotoken/money';
import { z } from 'zod';

/** An organization's address for notices, and the balance of each unit below which it gets one. */
export interface NoticeSettings {
  readonly organizationId: string;
  /** Null: no mails. */
  readonly email: string | null;
  readonly thresholds: readonly BalanceThreshold[];
}

export interface BalanceThreshold {
  readonly unit: string;
  readonly threshold: string;
  readonly isLow: boolean;
}

/** Thresholds of one organization, one a unit. */
export const thresholdsMax = 20;

/** One plain SMTP address: no display name, no list, no character that could end a header. */
export const emailSchema = z.email({ error: 'must be one address such as billing@example.com' }).max(254);

const thresholdSchema = z.string().transform((text, context) => {
  try {
    const amount = parseMoney(text);
    if (amount > 0n) return formatMoney(amount);
  } catch {
    // The issue below covers malformed amounts too.
  }
  context.addIssue({ code: 'custom', message: 'must be an amount above zero, such as 5 or 0.25' });
  return z.NEVER;
});

/** A missing field stays as it is; null removes it. */
export const noticeChangeSchema = z
  .strictObject({
    organizationId: z.uuid(),
    email: emailSchema.nullable().optional(),
    balanceLow: z.strictObject({ unit: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}$/, 'must be a unit such as USD'), threshold: thresholdSchema.nullable() }).optional(),
  })
  .refine(({ email, balanceLow }) => email !== undefined || balanceLow !== undefined, 'there is nothing to change');
export type NoticeChange = z.input<typeof noticeChangeSchema>;
