import { createPool } from '@kilotoken/platform';
import type pg from 'pg';

/** One statement reads all usage of its period, sorted or hashed through files where it is large. */
const statementMsMax = 6 * 60 * 60_000;

export interface AuditPoolSettings {
  readonly statementTimeoutMs?: number;
  readonly onIdleError?: (error: Error) => void;
}

/** Connections to prove books with: the owner's, or a login that is a member of `kilotoken_auditor`. One run uses one. */
export const openAuditPool = (connectionString: string, { statementTimeoutMs = statementMsMax, onIdleError }: AuditPoolSettings = {}): pg.Pool =>
  createPool({ connectionString, max: 2, applicationName: 'kilotoken-reconcile', statementTimeoutMs, ...(onIdleError ? { onIdleError } : {}) });
