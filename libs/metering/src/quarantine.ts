/**
 * Usage in quarantine, and what a person does about it. Pure.
 *
 *   settle:…, reap:…   rows that no table could hold: repaired as bytes, then replayed as usage, paid from what grants have now
 *   rating_mismatch    a row that is posted as it was charged: replayed once its price is right; the difference becomes an adjustment
 *   vendor_usage       what a vendor counted and nobody could use; the request was billed by estimate: looked at, and discarded
 *
 * The row in quarantine stays as it came. Every step is a row of its own, and one that ends the case is the last.
 */
import { parseMoney } from '@kilotoken/money';
import { usageRowSchema } from '@kilotoken/usage';
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
  /** The step that ended the case; null while it is open. */
  readonly ended: 'replayed' | 'discarded' | null;
}

export type ReplayKind = 'settlement' | 'rating' | 'none';

export const replayKindOf = (reason: string): ReplayKind =>
  /^(settle|reap):/.test(reason) ? 'settlement' : reason === 'rating_mismatch' ? 'rating' : 'none';

/** A replay needs these fields of a row. The database checks the rest when it takes it, and brings diagnostics within their bounds. */
const quarantinedRowSchema = usageRowSchema
  .pick({ organization: true, id: true, attempt: true, model: true, outcome: true, counts: true, price: true, unit: true, hold: true, rated: true, charge: true, portions: true, cost: true })
  .loose();
export type QuarantinedRow = z.infer<typeof quarantinedRowSchema>;

/**
 * Reads the rows of one request: JSON objects with commas between them, as a gateway settles them, or a list. Throws a ZodError or
 * a SyntaxError that says what is wrong.
 */
export const parseQuarantinedRows = (raw: string, { organizationId, usageId }: QuarantineKey): QuarantinedRow[] => {
  const text = raw.trim();
  const rows = z.array(quarantinedRowSchema).min(1).parse(JSON.parse(text.startsWith('[') ? text : `[${text}]`));
  if (text.includes('\\u0000')) throw new SyntaxError('a text has the character U+0000, which no database holds');
  if (rows.some(({ organization, id }) => organization !== organizationId || id !== usageId)) throw new SyntaxError('a row is of another organization or request');
  if (rows.filter(carriesCharge).length > 1) throw new SyntaxError('more than one attempt carries a charge');
  return rows;
};

const carriesCharge = ({ charge, portions }: QuarantinedRow): boolean => [charge, ...(portions ?? []).map((portion) => portion.charge)].some((amount) => parseMoney(amount) > 0n);
