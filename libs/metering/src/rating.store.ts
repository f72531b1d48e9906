import type { TokenCounts } from '@kilotoken/contracts';
import { formatMoney, moneyDecimals, parseMoney, type Money } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import { counterName, type CounterIncrement, type CounterKey } from './counters.js';
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

/** NUMERIC(38,12) as Postgres writes it, always with 12 decimals: without its point it is the count that Money is. */
const storedMoney = (text: string): Money => {
  const point = text.length - moneyDecimals - 1;
  return text[point] === '.' ? BigInt(text.slice(0, point) + text.slice(point + 1)) : parseMoney(text);
};

/** Claims up to `batchesMax` unrated flushes of some shards for a rating, in this transaction, and no more once they hold `rowsMax` usage rows. */
export const takeUnrated = async (db: Db, ratingId: string, shards: readonly number[], batchesMax: number, rowsMax: number): Promise<TakenUsage> => {
  const { rows } = await db.query<{ flushes: [sessionId: string, flush: string, shard: number][] | null; lines: string | null }>({
    name: 'rating_claim',
    text: 'SELECT * FROM rating_claim($1, $2, $3, $4)',
    values: [ratingId, shards, batchesMax, rowsMax],
  });
  const { flushes, lines } = rows[0]!;
  return {
    flushes: (flushes ?? []).map(([sessionId, flush, shard]) => ({ sessionId, flush: BigInt(flush), shard })),
    rows: lines === null ? [] : lines.split('\n').map(parseLine),
  };
};

/** The fields of `rating_claim`, in its order. They are parts of the whole text: what is kept for longer must not hold on to it. */
const parseLine = (line: string): UnratedUsage => {
  const fields = line.split('\t');
  return {
    organizationId: fields[0]!,
    accountRootId: fields[1]!,
    id: fields[2]!,
    attempt: Number(fields[3]),
    apiKeyId: fields[4]!,
    priceVersionId: fields[5]!,
    hold: storedMoney(fields[6]!),
    rated: storedMoney(fields[7]!),
    charge: storedMoney(fields[8]!),
    cost: storedMoney(fields[9]!),
    settledAtMs: Number(fields[10]),
    counts: JSON.parse(fields[11]!) as TokenCounts,
    unit: fields[12]!,
    costCurrency: fields[13]!,
  };
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

const counterRow = ({ accountRootId, accumulator, periodMs }: CounterKey) => ({ root: accountRootId, accumulator, period: new Date(periodMs).toISOString() });

/** Locks counters until the transaction ends; answers what they stand at, in the order of `counterName`. */
export const takeCounters = async (db: Db, keys: readonly CounterKey[]): Promise<Map<string, bigint>> => {
  const { rows } = await db.query<{ account_root_id: string; accumulator: string; period: Date; value: string }>({
    name: 'rating_counters_take',
    text: 'SELECT * FROM rating_counters_take($1)',
    values: [JSON.stringify(keys.map(counterRow))],
  });
  return new Map(rows.map((row) => [counterName({ accountRootId: row.account_root_id, accumulator: row.accumulator, periodMs: row.period.getTime() }), BigInt(row.value)]));
};

export const addToCounters = async (db: Db, increments: readonly CounterIncrement[]): Promise<void> => {
  const rows = increments.map(({ counted, ...key }) => ({ ...counterRow(key), counted: String(counted) }));
  await db.query({ name: 'rating_counters_add', text: 'SELECT rating_counters_add($1)', values: [JSON.stringify(rows)] });
};

export const quarantineMismatch = async (db: Db, { usage, rated }: Mismatch): Promise<void> => {
  const raw = Buffer.from(JSON.stringify({ counts: usage.counts, priceVersionId: usage.priceVersionId, stored: formatMoney(usage.rated), recomputed: rated === null ? null : formatMoney(rated) }));
  await db.query('SELECT rating_quarantine($1, $2, $3, NULL, $4)', [usage.organizationId, usage.id, usage.attempt, raw]);
};

export interface RatingLag {
  readonly batches: number;
  readonly oldestSeconds: number;
}

export const readRatingLag = async (db: Db): Promise<RatingLag> => {
  const { rows } = await db.query<{ batches: bigint; oldest_seconds: number }>('SELECT * FROM rating_lag()');
  return { batches: Number(rows[0]!.batches), oldestSeconds: rows[0]!.oldest_seconds };
};
