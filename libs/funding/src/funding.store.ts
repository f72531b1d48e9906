import { parseMoney, formatMoney, type Money } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import type { BurnRank } from './lease.js';
import type { ReturnRow } from './returning.js';
import type { AskAnswer, Ask } from './wallet.js';

/**
 * The statements of the hot path, each one call of a named function: one round trip, one transaction. Prepared once a
 * connection by their names. What a function takes and guarantees stands in its file in `prisma/functions`.
 */

export interface SessionStart {
  readonly sessionId: string;
  readonly app: string;
  readonly host: string;
  readonly pid: number;
  readonly release: string;
  /** Ends the session by `endSession`, and no other. */
  readonly endKey: Buffer;
}

export const startSession = async (db: Db, { sessionId, app, host, pid, release, endKey }: SessionStart): Promise<void> => {
  await db.query('SELECT session_open($1, $2, $3, $4, $5, sha256($6))', [sessionId, app, host, pid, release, endKey]);
};

/** Beats; false when the session is not known to be alive: it was reaped, or its heartbeat's row is gone. */
export const confirmSession = async (db: Db, sessionId: string): Promise<boolean> => {
  const { rows } = await db.query<{ alive: boolean }>({ name: 'session_confirm', text: 'SELECT session_confirm($1) AS alive', values: [sessionId] });
  return rows[0]!.alive;
};

/** As its reaper would, but by the one that began it. */
export const endSession = async (db: Db, sessionId: string, endKey: Buffer): Promise<void> => {
  await db.query('SELECT session_end($1, $2)', [sessionId, endKey]);
};

export interface PollAnswer {
  readonly alive: boolean;
  readonly version: bigint;
  readonly nowMs: number;
  /** Null: more changes than are listed one by one. */
  readonly changes: readonly { readonly kind: 'catalogue' | 'organization'; readonly organizationId: string | null }[] | null;
  readonly recalled: readonly { readonly organizationId: string; readonly leaseId: string }[];
  /** Slices of limits that other gateways need. */
  readonly recalledLimits: readonly { readonly organizationId: string; readonly limitId: string; readonly subject: string }[];
}

export const poll = async (db: Db, sessionId: string, since: bigint): Promise<PollAnswer> => {
  const { rows } = await db.query<{ answer: Omit<PollAnswer, 'version'> & { version: string } }>({
    name: 'gateway_poll',
    text: 'SELECT gateway_poll($1, $2) AS answer',
    values: [sessionId, since],
  });
  const { answer } = rows[0]!;
  return { ...answer, version: BigInt(answer.version) };
};

interface LeaseJson {
  leaseId: string;
  grantId: string;
  slice: string;
  models: string[] | null;
  rank: BurnRank;
}

export const takeLeases = async (db: Db, sessionId: string, organizationId: string, unit: string, ask: Ask): Promise<AskAnswer> => {
  const { rows } = await db.query<{ answer: { available: string; leased: string; leases: LeaseJson[] } }>({
    name: 'lease_take',
    text: 'SELECT lease_take($1, $2, $3, $4, $5, $6, $7, $8, $9) AS answer',
    values: [
      sessionId,
      organizationId,
      ask.id,
      unit,
      ask.model,
      formatMoney(ask.need),
      formatMoney(ask.least),
      formatMoney(ask.spare),
      ask.firstUsageId,
    ],
  });
  const { available, leased, leases } = rows[0]!.answer;
  return {
    available: parseMoney(available),
    leased: parseMoney(leased),
    leases: leases.map((lease) => ({ ...lease, slice: parseMoney(lease.slice) })),
  };
};

export const returnLeases = async (db: Db, sessionId: string, rows: readonly ReturnRow[]): Promise<void> => {
  const json = rows.map(({ organizationId, leaseId, keep, close }) => ({ organization: organizationId, lease: leaseId, keep: formatMoney(keep), close }));
  await db.query({ name: 'lease_return', text: 'SELECT lease_return($1, $2)', values: [sessionId, JSON.stringify(json)] });
};

/** `rowsJson`: a JSON array of usage rows as `usage_insert` reads them. Answers how many rows this execution wrote. */
export const settle = async (db: Db, sessionId: string, flush: bigint, rowsJson: string): Promise<number> => {
  const { rows } = await db.query<{ written: number }>({
    name: 'settle',
    text: 'SELECT settle($1, $2, $3) AS written',
    values: [sessionId, flush, rowsJson],
  });
  return rows[0]!.written;
};

/** `rowsJson`: a JSON array of `{organization, id, holds, settlement}`. */
export const checkpointRequests = async (db: Db, sessionId: string, rowsJson: string): Promise<void> => {
  await db.query({ name: 'checkpoint_requests', text: 'SELECT checkpoint_requests($1, $2)', values: [sessionId, rowsJson] });
};

export interface Quarantined {
  readonly organizationId: string;
  readonly usageId: string;
  readonly attempt: number;
  readonly reason: string;
  readonly raw: Buffer;
}

export const quarantineUsage = async (db: Db, sessionId: string, { organizationId, usageId, attempt, reason, raw }: Quarantined): Promise<void> => {
  await db.query('SELECT usage_quarantine_put($1, $2, $3, $4, $5, $6)', [sessionId, organizationId, usageId, attempt, reason, raw]);
};

export interface GrantBalance {
  readonly id: string;
  readonly source: string;
  readonly unit: string;
  readonly granted: Money;
  /** Refunded, expired, rolled over or transferred. */
  readonly removed: Money;
  readonly available: Money;
  readonly leased: Money;
  readonly settled: Money;
  readonly spentOpen: Money;
  readonly heldElsewhere: Money;
  readonly effectiveAt: Date;
  readonly expiresAt: Date | null;
}

/** Run it inside `asOrganization`: row-level security shows the organization's own grants alone. */
export const listGrantBalances = async (db: Db, organizationId: string, sessionId: string | null): Promise<GrantBalance[]> => {
  const { rows } = await db.query<Record<string, string> & { effective_at: Date; expires_at: Date | null }>(
    'SELECT * FROM grant_balances($1, $2)',
    [organizationId, sessionId],
  );
  return rows.map((row) => ({
    id: row['id']!,
    source: row['source']!,
    unit: row['unit']!,
    granted: parseMoney(row['granted']!),
    removed: parseMoney(row['removed']!),
    available: parseMoney(row['available']!),
    leased: parseMoney(row['leased']!),
    settled: parseMoney(row['settled']!),
    spentOpen: parseMoney(row['spent_open']!),
    heldElsewhere: parseMoney(row['held_elsewhere']!),
    effectiveAt: row.effective_at,
    expiresAt: row.expires_at,
  }));
};
