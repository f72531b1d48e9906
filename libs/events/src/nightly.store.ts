import type { Db } from '@kilotoken/platform';

interface NightClaim {
  readonly name: string;
  /** Of the day in UTC. */
  readonly minute: number;
  readonly claimId: string;
  readonly claimMs: number;
  readonly attemptsMax: number;
}

/** The night as `2026-12-31` when this process has it now; null when it is done, somebody is at it, or it failed too often. */
export const claimNight = async (db: Db, { name, minute, claimId, claimMs, attemptsMax }: NightClaim): Promise<string | null> => {
  const { rows } = await db.query<{ night: string | null }>('SELECT nightly_claim($1, $2, $3, $4, $5)::text AS night', [name, minute, claimId, claimMs, attemptsMax]);
  return rows[0]!.night;
};

interface NightEnd {
  readonly name: string;
  readonly night: string;
  readonly claimId: string;
  readonly ok: boolean;
  readonly outcome: Readonly<Record<string, unknown>>;
  readonly retryMs: number;
}

/** False: the claim was lost meanwhile, and nothing changed. */
export const endNight = async (db: Db, { name, night, claimId, ok, outcome, retryMs }: NightEnd): Promise<boolean> => {
  const { rows } = await db.query<{ ended: boolean }>('SELECT nightly_end($1, $2, $3, $4, $5, $6) AS ended', [name, night, claimId, ok, JSON.stringify(outcome), retryMs]);
  return rows[0]!.ended;
};
