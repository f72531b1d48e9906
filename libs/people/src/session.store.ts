import type { Db } from '@kilotoken/platform';
import type { SignInSession } from './people.js';

const columns = `id, created_at AS "createdAt", updated_at AS "updatedAt", expires_at AS "expiresAt", ip_address AS "ipAddress", user_agent AS "userAgent"`;

/** The newest first. */
export const listSessionRows = async (db: Db, personId: string): Promise<SignInSession[]> =>
  (await db.query<SignInSession>(`SELECT ${columns} FROM sign_in_session WHERE person_id = $1 AND expires_at > kt_now() ORDER BY id DESC LIMIT 200`, [personId])).rows;

/** Ends one session of a person, or all but one, or all. Answers how many. */
export const deleteSessions = async (db: Db, personId: string, which: { id: string } | { butId: string } | 'all'): Promise<number> => {
  const [condition, values] = which === 'all' ? ['', []] : 'id' in which ? [' AND id = $2', [which.id]] : [' AND id <> $2', [which.butId]];
  return (await db.query(`DELETE FROM sign_in_session WHERE person_id = $1${condition}`, [personId, ...values])).rowCount ?? 0;
};

/** Null ends it. Answers whether the session is there. */
export const setImpersonation = async (db: Db, sessionId: string, personId: string, impersonation: { organizationId: string; reason: string } | null): Promise<boolean> =>
  (
    await db.query(
      `UPDATE sign_in_session SET impersonating = $3::uuid, impersonating_since = CASE WHEN $3::uuid IS NOT NULL THEN kt_now() END, impersonating_reason = $4
       WHERE id = $1 AND person_id = $2 AND expires_at > kt_now()`,
      [sessionId, personId, impersonation?.organizationId ?? null, impersonation?.reason ?? null],
    )
  ).rowCount === 1;
