import type { RawDb } from '@kilotoken/platform';
import { writeCursor, type AuditEntry, type AuditPlace, type JsonFields } from './audit.js';

export interface AuditRow {
  readonly organization: string | null;
  readonly action: string;
  readonly object_type: string;
  readonly object_id: string | null;
  readonly before: JsonFields | null;
  readonly after: JsonFields | null;
  readonly ip: string | null;
  readonly request_id: string | null;
  readonly on_behalf_of: string | null;
}

export const callAuditAppend = async (db: RawDb, rows: readonly AuditRow[]): Promise<void> => {
  await db.$queryRaw`SELECT audit_append(${JSON.stringify(rows)}::jsonb) AS appended`;
};

export interface AuditSought {
  readonly organizationId: string | null;
  readonly actorId: string | null;
  readonly action: string | null;
  /** The beginning of an action. */
  readonly actionPrefix: string | null;
  readonly objectType: string | null;
  readonly objectId: string | null;
  readonly from: Date | null;
  readonly until: Date | null;
  readonly after: AuditPlace | null;
}

type EntryRow = Omit<AuditEntry, 'actor' | 'cursor' | 'seq'> & { readonly seq: bigint; readonly actorKind: string; readonly actorId: string; readonly atMicros: string };

/** Newest first, behind a place. */
export const listEntryRows = async (db: RawDb, sought: AuditSought, limit: number): Promise<AuditEntry[]> => {
  const { organizationId, actorId, action, actionPrefix, objectType, objectId, from, until, after } = sought;
  const rows = await db.$queryRaw<EntryRow[]>`
    SELECT organization_id::text AS "organizationId", seq, at, (extract(epoch FROM at) * 1000000)::bigint::text AS "atMicros", actor_kind AS "actorKind", actor_id AS "actorId",
      on_behalf_of::text AS "onBehalfOf", action, object_type AS "objectType", object_id AS "objectId", before, after, ip, request_id AS "requestId", encode(hash, 'hex') AS hash
    FROM audit_entry
    WHERE (${organizationId}::uuid IS NULL OR organization_id = ${organizationId}::uuid)
      AND (${actorId}::text IS NULL OR actor_id = ${actorId}::text)
      AND (${action}::text IS NULL OR action = ${action}::text)
      AND (${actionPrefix}::text IS NULL OR starts_with(action, ${actionPrefix}::text))
      AND (${objectType}::text IS NULL OR object_type = ${objectType}::text)
      AND (${objectId}::text IS NULL OR object_id = ${objectId}::text)
      AND (${from}::timestamptz IS NULL OR at >= ${from}::timestamptz)
      AND (${until}::timestamptz IS NULL OR at < ${until}::timestamptz)
      AND (${after?.atMicros ?? null}::bigint IS NULL OR (at, organization_id, seq) <
        ('epoch'::timestamptz + ${after?.atMicros ?? null}::bigint * interval '1 microsecond', ${after?.organizationId ?? null}::uuid, ${after?.seq ?? null}::bigint))
    ORDER BY audit_entry.at DESC, organization_id DESC, seq DESC LIMIT ${limit}`;
  return rows.map(({ actorKind, actorId: id, atMicros, ...row }) => ({
    ...row,
    actor: { kind: actorKind, id },
    cursor: writeCursor({ atMicros, organizationId: row.organizationId, seq: String(row.seq) }),
  }));
};
