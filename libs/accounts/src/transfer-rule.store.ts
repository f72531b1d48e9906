import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { TransferRule } from './transfer-rule.js';

type RuleRow = { readonly [Field in keyof TransferRule]: TransferRule[Field] extends Money ? string : TransferRule[Field] };

/** In the order of children and units. */
export const listRuleRows = async (db: RawDb, organizationId: string): Promise<TransferRule[]> => {
  const rows = await db.$queryRaw<RuleRow[]>`
    SELECT organization_id::text AS "organizationId", child_id::text AS "childId", unit, threshold::text AS threshold, amount::text AS amount, cap_per_month::text AS "capPerMonth",
      CASE WHEN month_start = date_trunc('month', kt_now(), 'UTC') THEN transferred ELSE 0 END::text AS transferred, created_at AS "createdAt"
    FROM transfer_rule WHERE organization_id = ${organizationId}::uuid ORDER BY child_id, unit`;
  return rows.map((row) => ({
    ...row,
    threshold: parseMoney(row.threshold),
    amount: parseMoney(row.amount),
    capPerMonth: parseMoney(row.capPerMonth),
    transferred: parseMoney(row.transferred),
  }));
};

export const upsertRule = async (db: RawDb, rule: Omit<TransferRule, 'transferred' | 'createdAt'>): Promise<void> => {
  const [threshold, amount, cap] = [rule.threshold, rule.amount, rule.capPerMonth].map(formatMoney);
  await db.$queryRaw`
    INSERT INTO transfer_rule (organization_id, child_id, unit, threshold, amount, cap_per_month)
    VALUES (${rule.organizationId}::uuid, ${rule.childId}::uuid, ${rule.unit}, ${threshold}::numeric, ${amount}::numeric, ${cap}::numeric)
    ON CONFLICT (organization_id, child_id, unit) DO UPDATE SET threshold = excluded.threshold, amount = excluded.amount, cap_per_month = excluded.cap_per_month RETURNING unit`;
};

/** False where there was none. */
export const deleteRule = async (db: RawDb, organizationId: string, childId: string, unit: string): Promise<boolean> => {
  const rows = await db.$queryRaw<unknown[]>`
    DELETE FROM transfer_rule WHERE organization_id = ${organizationId}::uuid AND child_id = ${childId}::uuid AND unit = ${unit} RETURNING unit`;
  return rows.length > 0;
};
