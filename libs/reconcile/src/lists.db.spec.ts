import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { references } from './reference-checks.js';
import { sealedColumns } from './seal-checks.js';

let money: MoneyDatabase;
beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

it('a usage row is sealed with all of its columns', async () => {
  const columns = await money.sql<{ name: string }>("SELECT attname::text AS name FROM pg_attribute WHERE attrelid = 'usage'::regclass AND attnum > 0 AND NOT attisdropped");
  expect([...sealedColumns].sort()).toEqual(columns.map(({ name }) => name).sort());
});

it('every foreign key is proven row by row, but for tables that proofs do not read', async () => {
  const unread = [
    'api_key_use', 'approval', 'balance_notice', 'budget_alert', 'credential', 'idempotency_tally', 'invitation', 'limit_ask', 'membership', 'notice_address', 'refused_ask', 'second_factor', 'service_token',
    'sign_in_session', 'transfer_rule', 'webhook_endpoint', 'webhook_secret',
  ];
  const keys = await money.sql<{ key: string }>(`
    SELECT format('%s (%s) to %s', k.conrelid::regclass, (SELECT string_agg(a.attname, ' ' ORDER BY c.position) FROM unnest(k.conkey) WITH ORDINALITY c (number, position) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number), k.confrelid::regclass) AS key
    FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND k.conrelid::regclass::text <> ALL ($1) ORDER BY 1`, [unread]);
  expect(references.map(({ table, columns, to }) => `${table} (${columns.join(' ')}) to ${to}`).sort()).toEqual(keys.map(({ key }) => key).sort());
});
