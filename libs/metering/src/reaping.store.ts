import type { Db } from '@kilotoken/platform';

/** Heartbeat counters of the sessions that are not reaped. */
export const listBeats = async (db: Db): Promise<Map<string, bigint>> => {
  const { rows } = await db.query<{ session_id: string; beat: bigint }>('SELECT * FROM session_beats()');
  return new Map(rows.map(({ session_id, beat }) => [session_id, beat]));
};

export interface Reaped {
  /** False when another reaper was first. */
  readonly reaped: boolean;
  readonly billed: number;
  readonly leases: number;
}

export const reapSession = async (db: Db, sessionId: string): Promise<Reaped> => {
  const { rows } = await db.query<{ answer: Reaped }>('SELECT session_reap($1) AS answer', [sessionId]);
  return rows[0]!.answer;
};

/** Deletes what is remembered of Idempotency-Keys that expired. */
export const expireClaims = async (db: Db, limit: number): Promise<number> => {
  const { rows } = await db.query<{ expired: number }>('SELECT idempotency_expire($1) AS expired', [limit]);
  return rows[0]!.expired;
};

export const expireGrants = async (db: Db, limit: number): Promise<number> => {
  const { rows } = await db.query<{ expired: number }>('SELECT grants_expire($1) AS expired', [limit]);
  return rows[0]!.expired;
};
