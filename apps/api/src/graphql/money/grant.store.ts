import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { exact } from '../shapes/exact.js';
import { globalId } from '../shapes/global-id.js';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';
import type { Grant, GrantState } from './grant.type.js';

interface GrantRow {
  readonly organizationId: string;
  readonly id: string;
  readonly source: string;
  readonly unit: string;
  readonly amount: string;
  readonly available: string;
  readonly leased: string;
  readonly state: GrantState;
  readonly priority: number;
  readonly scope: string[] | null;
  readonly effectiveAt: Date;
  readonly expiresAt: Date | null;
  readonly reference: string;
  readonly createdAt: Date;
}

const state = `CASE WHEN g.closing_at IS NOT NULL AND g.leased = 0 THEN 'closed' WHEN g.closing_at IS NOT NULL THEN 'closing'
  WHEN g.expires_at <= kt_now() THEN 'expired' WHEN g.effective_at > kt_now() THEN 'upcoming' WHEN g.available + g.leased = 0 THEN 'spent' ELSE 'active' END`;
const columns = `g.organization_id AS "organizationId", g.id, g.source, g.unit, (g.granted + g.adjusted)::text AS amount, g.available::text AS available, g.leased::text AS leased,
  ${state} AS state, g.priority, g.scope_models AS scope, g.effective_at AS "effectiveAt", g.expires_at AS "expiresAt", g.reference, g.created_at AS "createdAt"`;

export const toGrant = ({ id, amount, available, leased, ...row }: GrantRow): Grant => ({
  __typename: 'Grant', ...row, id: globalId('Grant', row.organizationId, id), amount: exact(amount), available: exact(available), leased: exact(leased),
});

/** The grants of each organization, the newest first. */
export const listGrantRows = async (db: Db, organizationIds: readonly string[], { first, after }: Page, wanted: GrantState | null): Promise<GrantRow[][]> => {
  const { rows } = await db.query<GrantRow>(
    `SELECT g.* FROM unnest($1::uuid[]) o(id) CROSS JOIN LATERAL (
       SELECT ${columns} FROM credit_grant g
       WHERE g.organization_id = o.id AND ($2::uuid IS NULL OR g.id < $2) AND ($3::text IS NULL OR ${state} = $3) ORDER BY g.id DESC LIMIT $4) g`,
    [organizationIds, after?.[0] ?? null, wanted, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

export interface GrantPlace {
  readonly organizationId: string;
  readonly id: string;
}

export const findGrants = async (db: Db, places: readonly GrantPlace[]): Promise<(GrantRow | null)[]> => {
  const { rows } = await db.query<GrantRow>(
    `SELECT ${columns} FROM unnest($1::uuid[], $2::uuid[]) p(organization_id, id) JOIN credit_grant g ON g.organization_id = p.organization_id AND g.id = p.id`,
    [places.map(({ organizationId }) => organizationId), places.map(({ id }) => id)],
  );
  return rowByKey(places.map(({ organizationId, id }) => `${organizationId} ${id}`), rows, ({ organizationId, id }) => `${organizationId} ${id}`);
};
