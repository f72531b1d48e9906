import type { Db } from '@kilotoken/platform';

export const takeAttempts = async (db: Db, keys: readonly Buffer[], most: readonly number[], windowMs: number): Promise<number> =>
  (await db.query<{ waitMs: number }>('SELECT sign_in_attempt_take($1, $2, $3) AS "waitMs"', [keys, most, windowMs])).rows[0]!.waitMs;

export const forgiveAttempts = async (db: Db, keys: readonly Buffer[]): Promise<void> => {
  await db.query('UPDATE sign_in_attempt SET attempts = attempts - 1 WHERE key = ANY ($1) AND attempts > 0', [keys]);
};
