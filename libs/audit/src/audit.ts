import { z } from 'zod';

/**
 * An entry of the audit log: who did what to what, and the values before and after. Entries of one organization are a chain; each carries the hash
 * of the one before. Changes of the control plane's tables get their entries from the database (`control_change_audited`); `audited` appends
 * those of reads and of acts that change no such table. Ids only: no name of a person, no address of mail, no secret.
 *
 *   { actor: { kind: 'person', id: '0199…' }, action: 'apiKey.revoke', objectType: 'api_key', objectId: '0199…', before: { revoked_at: null },
 *     after: { revoked_at: '2026-11-28T08:00:00Z' } }
 */
export interface AuditEntry {
  /** The organization of zeros for what belongs to the platform. */
  readonly organizationId: string;
  /** Its place in the organization's chain, from 1. */
  readonly seq: bigint;
  readonly at: Date;
  readonly actor: { readonly kind: string; readonly id: string };
  /** The organization whose pages staff looked at as its viewer sees them. */
  readonly onBehalfOf: string | null;
  readonly action: string;
  readonly objectType: string;
  readonly objectId: string | null;
  readonly before: JsonFields | null;
  readonly after: JsonFields | null;
  readonly ip: string | null;
  readonly requestId: string | null;
  /** SHA-256 in hexadecimal. */
  readonly hash: string;
  /** Goes on behind this entry: `listAuditEntries(db, { after })`. */
  readonly cursor: string;
}

export type JsonFields = Readonly<Record<string, unknown>>;

const characters = (max: number): z.ZodString => z.string().min(1).max(max);

export const newAuditEntrySchema = z.strictObject({
  /** Null: the platform's. */
  organizationId: z.uuid().nullable(),
  action: characters(200),
  objectType: characters(100),
  objectId: characters(500).nullish(),
  before: z.record(z.string(), z.unknown()).nullish(),
  after: z.record(z.string(), z.unknown()).nullish(),
  ip: z.union([z.ipv4(), z.ipv6()]).nullish(),
  requestId: characters(200).nullish(),
  onBehalfOf: z.uuid().nullish(),
});
export type NewAuditEntry = z.input<typeof newAuditEntrySchema>;

/** Newest first. Every field that is given must fit. */
export const auditSearchSchema = z.strictObject({
  /** Null: all that the login may see. */
  organizationId: z.uuid().nullish(),
  actorId: characters(200).nullish(),
  /** An action, or the beginning of some with `*` behind it: `apiKey.*`. */
  action: characters(200).nullish(),
  objectType: characters(100).nullish(),
  objectId: characters(500).nullish(),
  from: z.date().nullish(),
  /** Exclusive. */
  until: z.date().nullish(),
  /** The cursor of the last entry of the page before. */
  after: z.string().nullish(),
  limit: z.int().min(1).max(1_000).default(100),
});
export type AuditSearch = z.input<typeof auditSearchSchema>;

export interface AuditPlace {
  readonly atMicros: string;
  readonly organizationId: string;
  readonly seq: string;
}

const cursorPattern = /^(\d{1,17})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,18})$/;

export const writeCursor = ({ atMicros, organizationId, seq }: AuditPlace): string => `${atMicros}.${organizationId}.${seq}`;

/** Null for a text that is no cursor. */
export const readCursor = (text: string): AuditPlace | null => {
  const [, atMicros, organizationId, seq] = cursorPattern.exec(text) ?? [];
  return atMicros === undefined || organizationId === undefined || seq === undefined ? null : { atMicros, organizationId, seq };
};

const textMax = 1_000;

/** As JSON keeps it: exact amounts and moments as text, long texts by their beginning. */
const storable = (value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'string') return value.length <= textMax ? value : `${value.slice(0, textMax)}… (${value.length} characters)`;
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined).map(([name, field]) => [name, storable(field)]));
  return value ?? null;
};

export const storableFields = (fields: JsonFields | null | undefined): JsonFields | null => (fields == null ? null : (storable(fields) as JsonFields));

/** Keys in one order, so that two values that say the same are written the same. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field) ? Object.fromEntries(Object.entries(field).sort(([one], [other]) => (one < other ? -1 : 1))) : field,
  );

/** The fields that differ, with their values before and after. A null side is a thing that is not there: of the other all fields count. */
export const differingFields = (before: JsonFields | null, after: JsonFields | null): { readonly before: JsonFields | null; readonly after: JsonFields | null } => {
  const [old, current] = [storableFields(before), storableFields(after)];
  if (old === null || current === null) return { before: old, after: current };
  const names = [...new Set([...Object.keys(old), ...Object.keys(current)])].filter((name) => canonical(old[name] ?? null) !== canonical(current[name] ?? null));
  const only = (fields: JsonFields): JsonFields => Object.fromEntries(names.map((name) => [name, fields[name] ?? null]));
  return { before: only(old), after: only(current) };
};
