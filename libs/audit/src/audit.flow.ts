import { AppError, throughPg, type RawDb } from '@kilotoken/platform';
import type pg from 'pg';
import type { z } from 'zod';
import { auditSearchSchema, newAuditEntrySchema, readCursor, storableFields, type AuditEntry, type AuditSearch, type NewAuditEntry } from './audit.js';
import { callAuditAppend, listEntryRows, type AuditRow } from './audit.store.js';

/** A transaction of `pg` or of Prisma: the caller's, so that entry and act commit together. */
export type AuditTransaction = pg.PoolClient | RawDb;

/**
 * Appends entries in the name of the transaction's actor. It comes last in a transaction: it locks the heads of the organizations' chains. A
 * transaction that changes tables of the control plane needs none, but may say by it what its changes mean together. Throws `audit_invalid`.
 *
 *   await changeAs(client, organizationId, (db) => audited(db, { organizationId, action: 'usage.export', objectType: 'organization', objectId: organizationId }));
 */
export const audited = async (transaction: AuditTransaction, ...entries: readonly NewAuditEntry[]): Promise<void> => {
  const db = 'query' in transaction ? throughPg(transaction) : transaction;
  await callAuditAppend(db, entries.map(toRow));
};

const toRow = (entry: NewAuditEntry): AuditRow => {
  const { organizationId, action, objectType, objectId = null, before, after, ip = null, requestId = null, onBehalfOf = null } = parse(newAuditEntrySchema, entry);
  return {
    organization: organizationId, action, object_type: objectType, object_id: objectId, before: storableFields(before), after: storableFields(after), ip, request_id: requestId,
    on_behalf_of: onBehalfOf,
  };
};

/** Newest first. The next page begins behind the `cursor` of this one's last entry. Throws `audit_invalid`. */
export const listAuditEntries = async (db: RawDb, search: AuditSearch = {}): Promise<AuditEntry[]> => {
  const { organizationId = null, actorId = null, action = null, objectType = null, objectId = null, from = null, until = null, after, limit } = parse(auditSearchSchema, search);
  const place = after == null ? null : readCursor(after);
  if (after != null && place === null) throw invalid('after: the cursor of an entry is needed');
  const isPrefix = action?.endsWith('*') === true;
  return listEntryRows(
    db,
    { organizationId, actorId, action: isPrefix ? null : action, actionPrefix: isPrefix ? action.slice(0, -1) : null, objectType, objectId, from, until, after: place },
    limit,
  );
};

const invalid = (publicMessage: string, cause?: unknown): AppError => new AppError({ code: 'audit_invalid', kind: 'invalid', publicMessage, cause });

const parse = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; '), parsed.error);
};
