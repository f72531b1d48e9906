import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type { PrismaDb } from '@kilotoken/platform/prisma';

export interface RefundRow {
  readonly organizationId: string;
  readonly grantId: string;
  readonly reference: string;
  readonly reason: string;
}

/** Answers the amount, null while leases of the grant are open. */
export const callGrantRefund = async (db: PrismaDb, { organizationId, grantId, reference, reason }: RefundRow): Promise<Money | null> => {
  const rows = await db.$queryRaw<{ amount: string | null }[]>`
    SELECT grant_refund_request(${organizationId}::uuid, ${grantId}::uuid, ${reference}, ${reason})::text AS amount`;
  const { amount } = rows[0]!;
  return amount === null ? null : parseMoney(amount);
};

/** Answers false when it had been done before. */
export const callGrantAdjust = async (db: PrismaDb, { organizationId, grantId, amount, reference, reason }: RefundRow & { readonly amount: Money }): Promise<boolean> => {
  const rows = await db.$queryRaw<{ adjusted: boolean }[]>`
    SELECT grant_adjust(${organizationId}::uuid, ${grantId}::uuid, ${formatMoney(amount)}::numeric, ${reference}, ${reason}) AS adjusted`;
  return rows[0]!.adjusted;
};
