import type { TokenCounts } from '@kilotoken/contracts';
import { formatMoney, parseMoney } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import type { Mismatch, RatingResult, UnratedUsage } from './rating.js';

export interface FlushKey {
  readonly sessionId: string;
  readonly flush: bigint;
  readonly shard: number;
}

export interface TakenUsage {
  readonly flushes: readonly FlushKey[];
  readonly rows: readonly UnratedUsage[];
}

interface UsageRow {
  session_id: string;
  flush: bigint;
  shard: number;
  organization_id: string;
  account_root_id: string;
  id: string;
  attempt: number;
  api_key_id: string;
  price_version_id: string;
  counts: TokenCounts;
  unit: string;
  hold: string;
  rated: string;
  charge: string;
  cost: string;
  cost_currency: string;
  settled_at: Date;
}

/** Claims up to `batches` unrated flushes of some shards for this transaction. */
export const takeUnrated = async (db: Db, shards: readonly number[], batches: number): Promise<TakenUsage> => {
  const { rows } = await db.query<UsageRow>({ name: 'rating_take', text: 'SELECT * FROM rating_take($1, $2)', values: [shards, batches] });
  const flushes = new Map<string, FlushKey>();
  const usage = rows.map((row) => {
    const key = `${row.session_id}:${row.flush}:${row.shard}`;
    if (!flushes.has(key)) flushes.set(key, { sessionId: row.session_id, flush: row.flush, shard: row.shard });
    return {
      organizationId: row.organization_id,
      accountRootId: row.account_root_id,
      id: row.id,
      attempt: row.attempt,
      sessionId: row.session_id,
      apiKeyId: row.api_key_id,
      priceVersionId: row.price_version_id,
      counts: row.counts,
      unit: row.unit,
      hold: parseMoney(row.hold),
      rated: parseMoney(row.rated),
      charge: parseMoney(row.charge),
      cost: parseMoney(row.cost),
      costCurrency: row.cost_currency,
      settledAtMs: row.settled_at.getTime(),
    };
  });
  return { flushes: [...flushes.values()], rows: usage };
};

/** Posts a rating in the transaction that took it; a second posting of a flush is refused by its primary key. */
export const postRating = async (db: Db, ratingId: string, flushes: readonly FlushKey[], result: RatingResult): Promise<void> => {
  const totals = result.totals.map(({ organizationId, unit, charge, rated, cost, costCurrency }) => ({
    organization: organizationId,
    unit,
    charge: formatMoney(charge),
    rated: formatMoney(rated),
    cost: formatMoney(cost),
    cost_currency: costCurrency,
  }));
  await db.query({
    name: 'rating_post',
    text: 'SELECT rating_post($1, $2, $3, $4, $5)',
    values: [
      ratingId,
      JSON.stringify(flushes.map(({ sessionId, flush, shard }) => ({ session: sessionId, flush: String(flush), shard }))),
      JSON.stringify([...result.roots].map(([root, rows]) => ({ root, rows }))),
      JSON.stringify(totals),
      JSON.stringify([...result.keysUsed.values()].map(({ organizationId, apiKeyId, usedAtMs }) => ({ organization: organizationId, key: apiKeyId, used: usedAtMs }))),
    ],
  });
};

export const quarantineMismatch = async (db: Db, { usage, rated }: Mismatch): Promise<void> => {
  const raw = Buffer.from(JSON.stringify({ counts: usage.counts, priceVersionId: usage.priceVersionId, stored: formatMoney(usage.rated), recomputed: rated === null ? null : formatMoney(rated) }));
  await db.query('SELECT rating_quarantine($1, $2, $3, $4, $5)', [usage.organizationId, usage.id, usage.attempt, usage.sessionId, raw]);
};

export interface RatingLag {
  readonly batches: number;
  readonly oldestSeconds: number;
}

export const readRatingLag = async (db: Db): Promise<RatingLag> => {
  const { rows } = await db.query<{ batches: bigint; oldest_seconds: number }>('SELECT * FROM rating_lag()');
  return { batches: Number(rows[0]!.batches), oldestSeconds: rows[0]!.oldest_seconds };
};
