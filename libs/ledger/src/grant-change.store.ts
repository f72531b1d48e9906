import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { GrantRefund, GrantTransfer } from './grant-change.js';

interface Change {
  readonly organizationId: string;
  readonly grantId: string;
  readonly reference: string;
  readonly reason: string;
}

interface AgainstAccount {
  readonly counterAccount?: string | null | undefined;
}

type RefundRow = Omit<GrantRefund, 'asked' | 'refunded'> & { readonly asked: string | null; readonly refunded: string };

/** Answers the state that the refund is in now. */
export const callGrantRefund = async (db: RawDb, refund: Change & AgainstAccount & { readonly amount?: Money | null | undefined }): Promise<GrantRefund> => {
  const { organizationId, grantId, reference, reason, counterAccount = null } = refund;
  const amount = refund.amount == null ? null : formatMoney(refund.amount);
  const rows = await db.$queryRaw<RefundRow[]>`
    SELECT id::text AS id, grant_id::text AS "grantId", reference, asked::text AS asked, coalesce(amount, 0)::text AS refunded, refunded_at IS NOT NULL AS "hasEnded"
    FROM grant_refund_against(${organizationId}::uuid, ${grantId}::uuid, ${amount}::numeric, ${reference}, ${reason}, ${counterAccount}::text)`;
  const row = rows[0]!;
  return { ...row, asked: row.asked === null ? null : parseMoney(row.asked), refunded: parseMoney(row.refunded) };
};

/** Answers false for an adjustment that was made before. */
export const callGrantAdjust = async (db: RawDb, adjustment: Change & AgainstAccount & { readonly amount: Money }): Promise<boolean> => {
  const { organizationId, grantId, amount, reference, reason, counterAccount = null } = adjustment;
  const rows = await db.$queryRaw<{ adjusted: boolean }[]>`
    SELECT grant_adjust_against(${organizationId}::uuid, ${grantId}::uuid, ${formatMoney(amount)}::numeric, ${reference}, ${reason}, ${counterAccount}::text) AS adjusted`;
  return rows[0]!.adjusted;
};

interface TransferToGrant extends Change {
  readonly amount: Money;
  readonly toOrganizationId: string;
  /** The id of the new grant, unless the reference stands for a transfer already. */
  readonly toGrantId: string;
}

export const callGrantTransfer = async (db: RawDb, { organizationId, grantId, toOrganizationId, toGrantId, amount, reference, reason }: TransferToGrant): Promise<GrantTransfer> => {
  const rows = await db.$queryRaw<(Omit<GrantTransfer, 'amount'> & { amount: string })[]>`
    SELECT id::text AS id, grant_id::text AS "grantId", reference, amount::text AS amount, to_organization_id::text AS "toOrganizationId", to_grant_id::text AS "toGrantId"
    FROM grant_transfer_to(${organizationId}::uuid, ${grantId}::uuid, ${toOrganizationId}::uuid, ${toGrantId}::uuid, ${formatMoney(amount)}::numeric, ${reference}, ${reason})`;
  return { ...rows[0]!, amount: parseMoney(rows[0]!.amount) };
};
