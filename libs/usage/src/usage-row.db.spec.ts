import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { usageColumns, usageRowSchema, usageSelectList, type UsageField, type UsageRow } from './usage-row.js';

let money: MoneyDatabase;
let session: string;
let full: UsageRow;
let flush = 0;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  session = await money.newSession();
  const [grant, lease, burnTable] = [randomUUID(), randomUUID(), randomUUID()];
  full = usageRowSchema.parse({
    ...money.usageRow({ charge: '12345678901234567890.000000000001', hold: '99999999999999999999999999.999999999999', rated: '12345678901234567890.123456789012', cost: '0.000000000001', user: 'ü' }),
    tags: { team: 'blue "and" green' }, error: 'upstream_timeout', finish: 'stop', lane: randomUUID(), upstream_model: 'large', upstream_id: 'chatcmpl-1', upstream_status: 502,
    counts: { input: 9007199254740991, output: 3 }, estimated: true, context: 9007199254740991, max_tokens: 4096, offset_ms: -7,
    portions: [
      { unit: 'pack', burn_table: burnTable, counts: { input: 9007199254740991, output: 1 }, hold: '5', rated: '5', charge: '5' },
      { unit: 'USD', burn_table: null, counts: { output: 2 }, hold: '99999999999999999999999999.999999999999', rated: '12345678901234567890.123456789012', charge: '12345678901234567890.000000000001' },
    ],
    allocations: [
      { grant, lease, unit: 'pack', tokens: 9007199254740991, amount: '5' },
      { grant, lease, unit: 'USD', tokens: 3, amount: '12345678901234567890.000000000001' },
    ],
    admitted: 1_767_225_600_123.456, dispatched: 1_767_225_600_124, first_token: 1_767_225_600_200.5, finished: 1_767_225_601_000.001,
  });
});
afterAll(() => money.drop());

const storedAndRead = async (row: UsageRow): Promise<object> => {
  await money.app.query('SELECT settle($1, $2, $3)', [session, (flush += 1), JSON.stringify([row])]);
  const [read] = await money.sql<UsageRow>(`SELECT ${usageSelectList(Object.keys(usageColumns) as UsageField[])} FROM usage WHERE id = $1`, [row.id]);
  return read!;
};

describe('a usage row', () => {
  it('with every field is read back as it was written', async () => {
    const { opened: _, ...stored } = full;
    expect(await storedAndRead(full)).toEqual(stored);
  });

  it('with nothing that may be missing is read back with nulls', async () => {
    const missing = { user: null, tags: null, error: null, finish: null, lane: null, upstream_model: null, upstream_id: null, upstream_status: null, portions: null, dispatched: null, first_token: null };
    const bare: UsageRow = { ...full, id: money.mintId(), ...missing };
    const { opened: _, ...stored } = bare;
    expect(await storedAndRead(bare)).toEqual(stored);
  });
});
