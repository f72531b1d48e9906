import type { TokenCounts } from '@kilotoken/contracts';
import { formatMoney, moneyDecimals, parseMoney, type Money } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import { readPortions } from '@kilotoken/usage';
import type { Mismatch, RatingResult, UnratedGroup, UnratedRow } from './rating.js';

export interface FlushKey {
  readonly sessionId: string;
  readonly flush: bigint;
  readonly shard: number;
}

export interface TakenUsage {
  /** How many flushes were taken. */
  readonly flushes: number;
  readonly groups: readonly UnratedGroup[];
}

/** NUMERIC(38,12) as Postgres writes it, always with 12 decimals: without its point it is the count that Money is. */
const storedMoney = (text: string): Money => {
  const point = text.length - moneyDecimals - 1;
  return text[point] === '.' ? BigInt(text.slice(0, point) + text.slice(point + 1)) : parseMoney(text);
};

interface ClaimedGroup {
  flushes: number;
  organization_id: string;
  account_root_id: string;
  api_key_id: string;
  price_version_id: string;
  unit: string;
  cost_currency: string;
  first_ms: number;
  last_ms: number;
  lines: string;
}

/** Claims up to `flushesMax` unrated flushes of some shards for a rating, in this transaction, and no more once they hold `rowsMax` usage rows. */
export const takeUnrated = async (db: Db, ratingId: string, shards: readonly number[], flushesMax: number, rowsMax: number): Promise<TakenUsage> => {
  const { rows } = await db.query<ClaimedGroup>({
    name: 'rating_claim_rows',
    text: 'SELECT * FROM rating_claim_rows($1, $2, $3, $4)',
    values: [ratingId, shards, flushesMax, rowsMax],
  });
  const groups = rows.map((group) => ({
    organizationId: group.organization_id,
    accountRootId: group.account_root_id,
    apiKeyId: group.api_key_id,
    priceVersionId: group.price_version_id,
    unit: group.unit,
    costCurrency: group.cost_currency,
    firstSettledMs: group.first_ms,
    lastSettledMs: group.last_ms,
    burnTableIds: burnTableIdsIn(group.lines),
    rows: { [Symbol.iterator]: () => readRows(group.lines) },
  }));
  return { flushes: rows[0]?.flushes ?? 0, groups };
};

/** The burn tables that rows are pinned to; nearly always none, which is found without reading them. */
const burnTableIdsIn = (lines: string): string[] =>
  lines.includes('"burn_table"') ? [...new Set([...lines.matchAll(/"burn_table": ?"([0-9a-f-]{36})"/g)].map(([, id]) => id!))] : [];

const fieldsPerRow = 9;

/** The rows of a group, in the order of the fields of `rating_claim_rows`. */
function* readRows(lines: string): Generator<UnratedRow> {
  const fields = lines.split('\t');
  for (let first = 0; first < fields.length; first += fieldsPerRow) {
    const [rated, charge] = [fields[first + 4]!, fields[first + 5]!];
    const ratedMoney = storedMoney(rated);
    yield {
      id: fields[first]!,
      attempt: Number(fields[first + 1]),
      settledAtMs: Number(fields[first + 2]),
      hold: storedMoney(fields[first + 3]!),
      rated: ratedMoney,
      // Nearly always the same, and reading an amount is a good part of what a row costs here.
      charge: charge === rated ? ratedMoney : storedMoney(charge),
      cost: storedMoney(fields[first + 6]!),
      counts: JSON.parse(fields[first + 7]!) as TokenCounts,
      portions: fields[first + 8] === '' ? null : readPortions(fields[first + 8]!),
    };
  }
}

/** Which flushes a rating has taken. */
export const listRatedFlushes = async (db: Db, ratingId: string): Promise<FlushKey[]> => {
  const { rows } = await db.query<{ session_id: string; flush: bigint; shard: number }>('SELECT * FROM rating_flushes($1)', [ratingId]);
  return rows.map(({ session_id, flush, shard }) => ({ sessionId: session_id, flush, shard }));
};

/** Posts a rating in the transaction that claimed its flushes. */
export const postRating = async (db: Db, ratingId: string, result: RatingResult): Promise<void> => {
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
    text: "SELECT rating_post($1, '[]', $2, $3, $4)",
    values: [
      ratingId,
      JSON.stringify([...result.roots].map(([root, rows]) => ({ root, rows }))),
      JSON.stringify(totals),
      JSON.stringify([...result.keysUsed.values()].map(({ organizationId, apiKeyId, usedAtMs }) => ({ organization: organizationId, key: apiKeyId, used: usedAtMs }))),
    ],
  });
};

export const quarantineMismatch = async (db: Db, { organizationId, priceVersionId, usage, rated }: Mismatch): Promise<void> => {
  const raw = Buffer.from(JSON.stringify({ counts: usage.counts, priceVersionId, stored: formatMoney(usage.rated), recomputed: rated === null ? null : formatMoney(rated) }));
  await db.query('SELECT rating_quarantine($1, $2, $3, NULL, $4)', [organizationId, usage.id, usage.attempt, raw]);
};

export interface RatingLag {
  readonly batches: number;
  readonly oldestSeconds: number;
}

export const readRatingLag = async (db: Db): Promise<RatingLag> => {
  const { rows } = await db.query<{ batches: bigint; oldest_seconds: number }>('SELECT * FROM rating_lag()');
  return { batches: Number(rows[0]!.batches), oldestSeconds: rows[0]!.oldest_seconds };
};
