/**
 * `Idempotency-Key`: one key, one answer. A key belongs to an organization and to one body; a request that repeats it is told
 * which generation it made and what that cost, instead of being served and charged a second time. Pure.
 */
import { formatMoney, parseMoney } from '@kilotoken/money';
import { Refusal } from '../request/refusal.js';

const keyLengthMax = 255;
const visible = /^[\x21-\x7e]{1,255}$/;

/** The request's key, or null. Node joins a repeated header with a comma and a space, which no key contains. */
export const idempotencyKeyOf = (header: string | string[] | undefined): string | null => {
  if (header === undefined) return null;
  if (typeof header === 'string' && visible.test(header)) return header;
  throw new Refusal('invalid_value', `Idempotency-Key must be one header of 1 to ${keyLengthMax} visible ASCII characters.`, 'Idempotency-Key');
};

/** The database's answer to a claim. */
export type ClaimAnswer =
  | { readonly claimed: true }
  | {
      readonly claimed: false;
      readonly sameBody: boolean;
      /** Null while the first request waits for its money. */
      readonly requestId: string | null;
      readonly status: 'running' | 'completed' | 'failed';
      /** Decimal text; null while it is not known. */
      readonly charge: string | null;
      readonly unit: string | null;
      /** The organization has claimed as many keys today as it may. */
      readonly full?: true;
    };

const saidOf = {
  running: 'A request with this Idempotency-Key is running.',
  completed: 'A request with this Idempotency-Key is complete.',
  failed: 'A request with this Idempotency-Key was interrupted, and its output until then was charged. Use a new key to repeat it.',
  unsettled: 'A request with this Idempotency-Key ended in an error, and its charge is not known yet. Use a new key to repeat it.',
};

/** The refusal of a key's second request. A conflict's body names the generation and, once known, its charge. */
export const refuseClaim = (answer: Extract<ClaimAnswer, { claimed: false }>): Refusal => {
  const { sameBody, requestId, status, charge, unit } = answer;
  if (answer.full) {
    const text = 'Your organization has used all its Idempotency-Keys for today (UTC). Send requests without one, or try again tomorrow.';
    return new Refusal('rate_limit_exceeded', text, 'Idempotency-Key', {}, { 'retry-after': '3600', 'x-should-retry': 'false' });
  }
  if (!sameBody) return new Refusal('idempotency_key_reused', 'This Idempotency-Key was used with a different body. Use a new key for a new request.', 'Idempotency-Key');
  const generation = { id: requestId, object: 'generation', status, cost: charge === null ? null : formatMoney(parseMoney(charge)), cost_currency: unit };
  const where = requestId === null ? '' : ` GET /v1/generations/${requestId} has its details.`;
  return new Refusal('idempotency_conflict', `${saidOf[status === 'failed' && charge === null ? 'unsettled' : status]} This request was not charged.${where}`, 'Idempotency-Key', { generation });
};
