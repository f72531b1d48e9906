import type { Db } from '@kilotoken/platform';
import type { ClaimAnswer } from './idempotency.js';

/** One request's hold on a key. */
export interface ClaimId {
  readonly sessionId: string;
  readonly organizationId: string;
  readonly key: string;
  readonly claimId: string;
}

export interface ClaimTerms {
  readonly bodyHash: Buffer;
  readonly keepMs: number;
  /** A claim without a request is over after this long. */
  readonly unboundMs: number;
}

/** Executed again it answers the same. */
export const claimKey = async (db: Db, { sessionId, organizationId, key, claimId }: ClaimId, { bodyHash, keepMs, unboundMs }: ClaimTerms): Promise<ClaimAnswer> => {
  const { rows } = await db.query<{ answer: ClaimAnswer }>({
    name: 'idempotency_claim',
    text: 'SELECT idempotency_claim($1, $2, $3, $4, $5, $6, $7) AS answer',
    values: [sessionId, organizationId, key, claimId, bodyHash, keepMs, unboundMs],
  });
  return rows[0]!.answer;
};

/** False when somebody took the claim over: the request may not be dispatched. */
export const bindClaim = async (db: Db, { sessionId, organizationId, key, claimId }: ClaimId, requestId: string): Promise<boolean> => {
  const { rows } = await db.query<{ bound: boolean }>({
    name: 'idempotency_bind',
    text: 'SELECT idempotency_bind($1, $2, $3, $4, $5) AS bound',
    values: [sessionId, organizationId, key, claimId, requestId],
  });
  return rows[0]!.bound;
};

export const releaseClaim = async (db: Db, { sessionId, organizationId, key, claimId }: ClaimId): Promise<void> => {
  await db.query({
    name: 'idempotency_release',
    text: 'SELECT idempotency_release($1, $2, $3, $4)',
    values: [sessionId, organizationId, key, claimId],
  });
};
