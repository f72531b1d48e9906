import { parseMoney, type Money } from '@kilotoken/money';
import { changeAs, type RawDb } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { notFound, parseInput } from './accounts.errors.js';
import { approvalKinds, type ApprovalThreshold } from './approval.js';
import { deleteThreshold, listThresholdRows, writeThreshold } from './approval.store.js';

const amountSchema = z.string().transform((text, context): Money => {
  try {
    const amount = parseMoney(text);
    if (amount >= 0n) return amount;
  } catch {
    // The issue below covers malformed amounts too.
  }
  context.addIssue({ code: 'custom', message: 'an amount such as 1000 or 0 is needed' });
  return z.NEVER;
});

const thresholdSchema = z.strictObject({
  kind: z.enum(approvalKinds, `one of ${approvalKinds.join(', ')} is needed`),
  unit: z.string().regex(/^([A-Z]{3}|[a-z][a-z0-9-]{1,62}|\*)$/, 'a currency (USD), a pack unit or * is needed'),
  /** Null: as `*` says; where `*` has none, every amount needs a second person. */
  amount: amountSchema.nullable(),
});

/**
 * Sets above which amount acts of a kind need a second person, in one unit or in every unit without a threshold of its own. Throws
 * `accounts_invalid` or `threshold_not_found`.
 */
export const setApprovalThreshold = async (client: ControlClient, input: z.input<typeof thresholdSchema>): Promise<ApprovalThreshold[]> => {
  const { kind, unit, amount } = parseInput(thresholdSchema, input);
  return changeAs(client, null, async (db) => {
    if (amount !== null) await writeThreshold(db, kind, unit, amount);
    else if (!(await deleteThreshold(db, kind, unit))) throw notFound('threshold', `There is no threshold of ${kind} in ${unit}.`);
    return listThresholdRows(db);
  });
};

export const listApprovalThresholds = (db: RawDb): Promise<ApprovalThreshold[]> => listThresholdRows(db);

