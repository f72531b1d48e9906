import type { Db } from '@kilotoken/platform';

/** Heartbeat counters of the sessions that are not reaped; -1 of one whose heartbeat's row is gone, which is silent too. */
export const listBeats = async (db: Db): Promise<Map<string, bigint>> => {
  const { rows } = await db.query<{ session_id: string; beat: bigint }>('SELECT * FROM session_pulses()');
  return new Map(rows.map(({ session_id, beat }) => [session_id, beat]));
};

export interface Reaped {
  /** False when another reaper was first, or the session has beaten since it was looked at. */
  readonly reaped: boolean;
  readonly billed: number;
  readonly leases: number;
}

/** Reaps a session whose heartbeat counter is still `beat`. */
export const reapSilent = async (db: Db, sessionId: string, beat: bigint): Promise<Reaped> => {
  const { rows } = await db.query<{ answer: Reaped }>('SELECT session_reap_silent($1, $2) AS answer', [sessionId, beat]);
  return rows[0]!.answer;
};

/** Deletes what is remembered of Idempotency-Keys that expired. */
export const expireClaims = async (db: Db, limit: number): Promise<number> => {
  const { rows } = await db.query<{ expired: number }>('SELECT idempotency_expire($1) AS expired', [limit]);
  return rows[0]!.expired;
};
