import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { ActorRef, Approval, ApprovalKind, ApprovalStatus, ApprovalThreshold } from './approval.js';

interface ApprovalRow {
  readonly organizationId: string;
  readonly id: string;
  readonly kind: ApprovalKind;
  readonly status: ApprovalStatus;
  readonly reference: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly unit: string;
  readonly amount: string;
  readonly requestedByKind: string;
  readonly requestedById: string;
  readonly requestedAt: Date;
  readonly expiresAt: Date;
  readonly decidedByKind: string | null;
  readonly decidedById: string | null;
  readonly decidedAt: Date | null;
  readonly reason: string | null;
  readonly result: Readonly<Record<string, string>> | null;
}

const toApproval = ({ amount, requestedByKind, requestedById, decidedByKind, decidedById, ...row }: ApprovalRow): Approval => ({
  ...row,
  amount: parseMoney(amount),
  requestedBy: { kind: requestedByKind, id: requestedById },
  decidedBy: decidedByKind === null || decidedById === null ? null : { kind: decidedByKind, id: decidedById },
});

/** Newest first, behind an id. An undecided one that is past its time counts as expired. */
export const listApprovalRows = async (
  db: RawDb,
  sought: { readonly organizationId: string | null; readonly id: string | null; readonly reference: string | null; readonly kind: string | null; readonly status: string | null; readonly after: string | null },
  limit: number,
): Promise<Approval[]> => {
  const { organizationId, id, reference, kind, status, after } = sought;
  const rows = await db.$queryRaw<ApprovalRow[]>`
    SELECT * FROM (
      SELECT organization_id::text AS "organizationId", id::text AS id, kind, coalesce(decision, CASE WHEN expires_at <= kt_now() THEN 'expired' ELSE 'pending' END) AS status, reference, payload,
        unit, amount::text AS amount, requested_by_kind AS "requestedByKind", requested_by_id AS "requestedById", requested_at AS "requestedAt", expires_at AS "expiresAt",
        decided_by_kind AS "decidedByKind", decided_by_id AS "decidedById", decided_at AS "decidedAt", reason, result
      FROM approval
      WHERE (${organizationId}::uuid IS NULL OR organization_id = ${organizationId}::uuid) AND (${id}::uuid IS NULL OR id = ${id}::uuid)
        AND (${kind}::text IS NULL OR kind = ${kind}::text) AND (${reference}::text IS NULL OR reference = ${reference}::text)
        AND (${after}::uuid IS NULL OR approval.id < ${after}::uuid)) a
    WHERE ${status}::text IS NULL OR status = ${status}::text ORDER BY id DESC LIMIT ${limit}`;
  return rows.map(toApproval);
};

/** Locks an approval until the transaction ends; false where there is none. */
export const lockApproval = async (db: RawDb, organizationId: string, id: string): Promise<boolean> => {
  const rows = await db.$queryRaw<unknown[]>`SELECT id::text FROM approval WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
  return rows.length > 0;
};

export interface NewApprovalRow {
  readonly organizationId: string;
  readonly id: string;
  readonly kind: ApprovalKind;
  readonly reference: string;
  readonly payload: unknown;
  readonly unit: string;
  readonly amount: Money;
  readonly requestedBy: ActorRef;
  readonly days: number;
}

/** False where there is one of this kind under the reference. */
export const insertApproval = async (db: RawDb, { organizationId, id, kind, reference, payload, unit, amount, requestedBy, days }: NewApprovalRow): Promise<boolean> => {
  const rows = await db.$queryRaw<unknown[]>`
    INSERT INTO approval (organization_id, id, kind, reference, payload, unit, amount, requested_by_kind, requested_by_id, expires_at)
    VALUES (${organizationId}::uuid, ${id}::uuid, ${kind}, ${reference}, ${JSON.stringify(payload)}::jsonb, ${unit}, ${formatMoney(amount)}::numeric, ${requestedBy.kind}, ${requestedBy.id},
      kt_now() + make_interval(days => ${days}::integer))
    ON CONFLICT (organization_id, kind, reference) DO NOTHING RETURNING id::text`;
  return rows.length > 0;
};

export interface DecisionRow {
  readonly organizationId: string;
  readonly id: string;
  readonly decision: 'approved' | 'rejected' | 'cancelled';
  readonly by: ActorRef;
  readonly reason: string | null;
  readonly result: Readonly<Record<string, string>> | null;
}

export const writeDecision = async (db: RawDb, { organizationId, id, decision, by, reason, result }: DecisionRow): Promise<void> => {
  await db.$queryRaw`
    UPDATE approval SET decision = ${decision}, decided_by_kind = ${by.kind}, decided_by_id = ${by.id}, decided_at = kt_now(), reason = ${reason}::text,
      result = ${result === null ? null : JSON.stringify(result)}::jsonb
    WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid RETURNING id::text`;
};

/** Until the transaction ends no other one adds up the actor's acts of this kind. */
export const lockActsOf = async (db: RawDb, organizationId: string, kind: ApprovalKind, unit: string, actor: ActorRef): Promise<void> => {
  const name = ['approval', organizationId, kind, unit, actor.kind, actor.id].join(' ');
  await db.$queryRaw`SELECT pg_advisory_xact_lock(hashtextextended(${name}::text, 0))::text`;
};

/** The sum of an actor's acts in the last hours, but for those that a decision of an approval did: somebody else asked for them. */
export const sumActsOf = async (
  db: RawDb, organizationId: string, kind: ApprovalKind, unit: string, actor: ActorRef, { butReference, hours }: { readonly butReference: string; readonly hours: number },
): Promise<Money> => {
  const table = { 'grant.issue': 'credit_grant', 'grant.adjust': 'grant_adjustment', 'grant.refund': 'grant_refund', 'grant.transfer': 'grant_transfer' }[kind];
  const rows = await db.$queryRaw<{ amount: string }[]>`
    SELECT coalesce(sum(abs(a.amount)), 0)::text AS amount
    FROM control_change c
    CROSS JOIN LATERAL (SELECT c.organization_id, (c.row_key ->> 'id')::uuid AS id) k
    JOIN LATERAL (
      SELECT g.granted AS amount, g.id AS grant_id, g.reference FROM credit_grant g WHERE c.table_name = 'credit_grant' AND g.organization_id = k.organization_id AND g.id = k.id
      UNION ALL SELECT d.amount, d.grant_id, d.reference FROM grant_adjustment d WHERE c.table_name = 'grant_adjustment' AND d.organization_id = k.organization_id AND d.id = k.id
      UNION ALL SELECT coalesce(r.asked, r.amount), r.grant_id, r.reference FROM grant_refund r WHERE c.table_name = 'grant_refund' AND r.organization_id = k.organization_id AND r.id = k.id
      UNION ALL SELECT t.amount, t.grant_id, t.reference FROM grant_transfer t WHERE c.table_name = 'grant_transfer' AND t.organization_id = k.organization_id AND t.id = k.id) a ON true
    JOIN credit_grant own ON own.organization_id = c.organization_id AND own.id = a.grant_id AND own.unit = ${unit}
    WHERE c.organization_id = ${organizationId}::uuid AND c.table_name = ${table} AND c.change = 'insert' AND c.actor_kind = ${actor.kind} AND c.actor_id = ${actor.id}
      AND c.changed_at > kt_now() - make_interval(hours => ${hours}::integer) AND a.reference IS DISTINCT FROM ${butReference}
      AND NOT EXISTS (SELECT FROM control_change d WHERE d.transaction = c.transaction AND d.changed_at = c.changed_at AND d.table_name = 'approval' AND d.change = 'update')`;
  return parseMoney(rows[0]!.amount);
};

/** The threshold of a kind in a unit; null where neither the unit nor `*` has one. */
export const findThreshold = async (db: RawDb, kind: ApprovalKind, unit: string): Promise<Money | null> => {
  const rows = await db.$queryRaw<{ amount: string }[]>`
    SELECT amount::text AS amount FROM approval_threshold WHERE kind = ${kind} AND unit IN (${unit}, '*') ORDER BY unit = '*' LIMIT 1`;
  return rows[0] ? parseMoney(rows[0].amount) : null;
};

export const listThresholdRows = async (db: RawDb): Promise<ApprovalThreshold[]> => {
  const rows = await db.$queryRaw<{ kind: ApprovalKind; unit: string; amount: string }[]>`SELECT kind, unit, amount::text AS amount FROM approval_threshold ORDER BY kind, unit`;
  return rows.map((row) => ({ ...row, amount: parseMoney(row.amount) }));
};

export const writeThreshold = async (db: RawDb, kind: ApprovalKind, unit: string, amount: Money): Promise<void> => {
  await db.$queryRaw`
    INSERT INTO approval_threshold (kind, unit, amount) VALUES (${kind}, ${unit}, ${formatMoney(amount)}::numeric)
    ON CONFLICT (kind, unit) DO UPDATE SET amount = excluded.amount RETURNING kind`;
};

/** False where there was none. */
export const deleteThreshold = async (db: RawDb, kind: ApprovalKind, unit: string): Promise<boolean> => {
  const rows = await db.$queryRaw<unknown[]>`DELETE FROM approval_threshold WHERE kind = ${kind} AND unit = ${unit} RETURNING kind`;
  return rows.length > 0;
};

/** In whose name the transaction changes something; null where it names nobody. */
export const findActor = async (db: RawDb): Promise<ActorRef | null> => {
  const rows = await db.$queryRaw<{ actor: ActorRef | null }[]>`SELECT nullif(current_setting('kilotoken.actor', true), '')::jsonb AS actor`;
  const actor = rows[0]!.actor;
  return actor && { kind: actor.kind, id: actor.id };
};
