import type { Db } from '@kilotoken/platform';
import { counterName, type CounterIncrement, type CounterKey } from './accumulator.js';

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
