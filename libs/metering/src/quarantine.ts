/**
 * Usage in quarantine, and what a person does about it. Pure.
 *
 *   settle:…, reap:…   rows that no table could hold: repaired as bytes, then replayed as usage, paid from what grants have now
 *   rating_mismatch    a row that is posted as it was charged: replayed once its price is right; the difference becomes an adjustment
 *   vendor_usage       what a vendor counted and nobody could use; the request was billed by estimate: looked at, and discarded
 *
 * The row in quarantine stays as it came. Every step is a row of its own, and one that ends the case is the last.
 */
import { tokenClasses } from '@kilotoken/contracts';
import { parseMoney } from '@kilotoken/money';
import { z } from 'zod';

export interface QuarantineKey {
  readonly organizationId: string;
  readonly usageId: string;
  readonly attempt: number;
  readonly reason: string;
}

export interface QuarantinedUsage extends QuarantineKey {
  readonly quarantinedAt: Date;
  /** The corrected bytes where there are some, else as it came. */
  readonly raw: string;
  readonly repaired: boolean;
  /** What ended the case; null while it is open. */
  readonly ended: 'replayed' | 'discarded' | null;
}

export type ReplayKind = 'settlement' | 'rating' | 'none';

export const replayKindOf = (reason: string): ReplayKind =>
  /^(settle|reap):/.test(reason) ? 'settlement' : reason === 'rating_mismatch' ? 'rating' : 'none';

const money = z.string().refine((text) => {
  try {
    return parseMoney(text) >= 0n;
  } catch {
    return false;
  }
}, 'an exact amount is needed, such as "0.00036"');

const count = z.int().min(0);

/** What a replay needs of a row; the database checks the rest when it takes it. */
const usageRowSchema = z.looseObject({
  organization: z.uuid(),
  id: z.uuid(),
  attempt: z.int().min(0).max(32_767),
  model: z.string().min(1),
  outcome: z.string().min(1),
  counts: z.partialRecord(z.enum(tokenClasses), count),
  price: z.uuid(),
  unit: z.string().min(1),
  hold: money,
  rated: money,
  charge: money,
  cost: money,
});
export type QuarantinedRow = z.infer<typeof usageRowSchema>;

/**
 * Reads the rows of one request: JSON objects with commas between them, as a gateway settles them, or a list. Throws a ZodError or
 * a SyntaxError that says what is wrong.
 */
export const parseQuarantinedRows = (raw: string, { organizationId, usageId }: QuarantineKey): QuarantinedRow[] => {
  const text = raw.trim();
  const rows = z.array(usageRowSchema).min(1).parse(JSON.parse(text.startsWith('[') ? text : `[${text}]`));
  if (text.includes('\\u0000')) throw new SyntaxError('a text has the character U+0000, which no database holds');
  if (rows.some(({ organization, id }) => organization !== organizationId || id !== usageId)) throw new SyntaxError('a row is of another organization or request');
  if (rows.filter(({ charge }) => parseMoney(charge) > 0n).length > 1) throw new SyntaxError('more than one attempt carries a charge');
  return rows;
};
