import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { MoneyDatabase } from '../../../test/support/money-database.js';

/** Postgres keeps the plan of a function's statement: one that was made while a table was empty reads all of it when it is not. */
const flushes = 200;
const rowsPerFlush = 100;
const flushesTaken = 5;
/** Postgres plans the first five executions anew and then keeps a plan. */
const executions = 10;

const shards = 'ARRAY(SELECT generate_series(0, 15))::smallint[]';
/** Rollups look at the tags of all rows before they add any up. */
const readsOf = (queue: string): number => (queue.includes('rollup_add') ? 2 : 1);
const queues = [
  `SELECT FROM rating_claim_rows(uuidv7(), ${shards}, ${flushesTaken}, ${flushes * rowsPerFlush})`,
  `SELECT FROM rollup_add(${flushesTaken})`,
];

let money: MoneyDatabase;
const connections = new Map<string, pg.PoolClient>();

beforeAll(async () => {
  money = await MoneyDatabase.create();
  for (const queue of queues) {
    const connection = await money.app.connect();
    connections.set(queue, connection);
    for (let execution = 0; execution < executions; execution += 1) await connection.query(queue);
  }
  const session = await money.newSession();
  await money.newTenant('1000');
  for (let flush = 1; flush <= flushes; flush += 1) {
    await money.settle(session, flush, ...Array.from({ length: rowsPerFlush }, () => ({ id: money.mintId(), charge: 0, allocations: [] })));
  }
  // What is taken out of the one queue goes to the other.
  await money.owner.query('DELETE FROM unrated_batch WHERE flush <= $1', [flushes / 2]);
});
afterAll(async () => {
  connections.forEach((connection) => connection.release());
  await money.drop();
});

describe('a process that started while no usage was stored', () => {
  it.each(queues)('finds the rows of a few flushes among many by their keys: %s', async (queue) => {
    const connection = connections.get(queue)!;
    await connection.query('BEGIN');
    await connection.query(queue);
    const read = await connection.query<{ found: number; passed: number }>(
      "SELECT sum(idx_tup_fetch)::integer AS found, sum(seq_tup_read)::integer AS passed FROM pg_stat_xact_all_tables WHERE relname LIKE 'usage\\_2%' OR relname = 'usage_default'",
    );
    await connection.query('ROLLBACK');
    expect(read.rows[0]).toEqual({ found: readsOf(queue) * flushesTaken * rowsPerFlush, passed: 0 });
  });
});
