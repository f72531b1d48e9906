import { parseMoney, formatMoney, type Money } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { GrantBalance } from './grant.js';

export interface NewGrantRow {
  readonly organizationId: string;
  readonly id: string;
  readonly unit: string;
  readonly amount: Money;
  readonly source: string;
  readonly reference: string;
  readonly priority: number;
  readonly scopeModels: readonly string[] | null;
  readonly effectiveAt: Date | null;
  readonly expiresAt: Date | null;
  readonly counterAccount: string | null;
}

/** Answers the id of the grant with this source and reference: this one, or the one that was issued before. */
export const callGrantIssue = async (db: RawDb, grant: NewGrantRow): Promise<string> => {
  const scopeModels = grant.scopeModels ? [...grant.scopeModels] : null;
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT grant_issue_against(${grant.organizationId}::uuid, ${grant.id}::uuid, ${grant.unit}, ${formatMoney(grant.amount)}::numeric, ${grant.source},
      ${grant.reference}, ${grant.priority}::smallint, ${scopeModels}::text[], ${grant.effectiveAt}::timestamptz, ${grant.expiresAt}::timestamptz,
      ${grant.counterAccount}::text)::text AS id`;
  return rows[0]!.id;
};

type AmountColumn = 'granted' | 'removed' | 'available' | 'held' | 'used';
type GrantRow = Omit<GrantBalance, AmountColumn> & Readonly<Record<AmountColumn, string>>;

/** Every grant of an organization in burn order, in one snapshot. Idle slices count as available; what is open at any session counts as held. */
export const listGrants = async (db: RawDb, organizationId: string): Promise<GrantBalance[]> => {
  const rows = await db.$queryRaw<GrantRow[]>`
    SELECT b.id::text AS id, b.source, b.unit, g.reference, b.priority, g.scope_models AS "scopeModels",
      b.granted::text AS granted, b.removed::text AS removed,
      (b.available + b.leased - b.spent_open - b.held_elsewhere)::text AS available, b.held_elsewhere::text AS held,
      (b.settled + b.spent_open)::text AS used,
      b.effective_at AS "effectiveAt", b.expires_at AS "expiresAt", b.created_at AS "createdAt"
    FROM grant_balances(${organizationId}::uuid, NULL) WITH ORDINALITY AS b(id, source, unit, priority, granted, removed, available, leased, settled, spent_open,
      held_elsewhere, effective_at, expires_at, created_at, position)
    JOIN credit_grant g ON g.organization_id = ${organizationId}::uuid AND g.id = b.id
    ORDER BY b.position`;
  return rows.map((row) => ({
    ...row,
    granted: parseMoney(row.granted),
    removed: parseMoney(row.removed),
    available: parseMoney(row.available),
    held: parseMoney(row.held),
    used: parseMoney(row.used),
  }));
};
