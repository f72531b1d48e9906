import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { seedTenant, type SeededTenant } from './cluster-seed.js';
import { expectInvariants, findViolations } from './invariants.js';
import { createTestDatabase, type TestDatabase } from './postgres.js';

/**
 * A check that finds nothing proves nothing until it has found something: each invariant is broken once, as the owner,
 * who alone can.
 */

let database: TestDatabase;
let owner: pg.Client;
let tenant: SeededTenant;
let session: string;
let lease: string;
let usageId: string;

beforeEach(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  // 1 token at 3 per 7 does not divide evenly, so rounding is part of what is checked.
  tenant = await seedTenant(owner, { models: [{ model: 'mock', per: 7, sale: { input: '3', output: '5' }, lanes: [{ baseUrl: 'http://127.0.0.1:1/v1' }] }], grants: ['10'] });
  session = randomUUID();
  await owner.query("SELECT session_open($1, 'gateway', 'here', 1, 'test', NULL)", [session]);
  usageId = (await owner.query('SELECT uuidv7() AS id')).rows[0].id;
  const { rows } = await owner.query("SELECT lease_take($1, $2, $3, 'USD', 'mock', 4, 4, 0, $4) AS answer", [session, tenant.organizationId, randomUUID(), usageId]);
  lease = rows[0].answer.leases[0].leaseId;
  // 2 × 3 ÷ 7 + 1 × 5 ÷ 7 = 0.857142857143 + 0.714285714286
  await settle(usageId, { flush: 1, counts: { input: 2, output: 1 }, charge: '1.571428571429' });
  await rate();
});

afterEach(async () => {
  await owner.end();
  await database.drop();
});

interface Row {
  flush: number;
  counts: Record<string, number>;
  charge: string;
  attempt?: number;
}

async function settle(id: string, { flush, counts, charge, attempt = 0 }: Row): Promise<void> {
  const row = {
    organization: tenant.organizationId, id, attempt, root: tenant.accountRootId, project: tenant.projectId, key: tenant.keys[0]!.id,
    operation: 'chat', mode: 'realtime', stream: false, model: 'mock', tier_asked: 'standard', tier_served: 'standard', outcome: 'completed',
    status: 200, counts, estimated: false, context: 2, max_tokens: 1, price: tenant.priceVersionIds['mock'], unit: 'USD', hold: '4', rated: charge, charge,
    allocations: [{ grant: tenant.grantIds[0], lease, amount: charge }], cost: '0.5', cost_currency: 'USD', offset_ms: 0, admitted: 1, finished: 2,
  };
  await owner.query('SELECT settle($1, $2, $3)', [session, flush, JSON.stringify([row])]);
}

async function rate(): Promise<void> {
  const { rows } = await owner.query(`
    WITH taken AS (DELETE FROM unrated_batch RETURNING *)
    SELECT b.session_id, b.flush, b.shard, u.organization_id, u.unit, u.charge, u.rated, u.cost, u.cost_currency
    FROM taken b CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k(organization_id, id, attempt)
    JOIN usage u USING (organization_id, id, attempt)`);
  const flushes = rows.map((row) => ({ session: row.session_id, flush: row.flush, shard: row.shard }));
  const totals = rows.map((row) => ({ organization: row.organization_id, unit: row.unit, charge: row.charge, rated: row.rated, cost: row.cost, cost_currency: row.cost_currency }));
  await owner.query("SELECT rating_post(uuidv7(), $1, $2, $3, '[]')", [JSON.stringify(flushes), JSON.stringify([{ root: tenant.accountRootId, rows: rows.length }]), JSON.stringify(totals)]);
}

const broken = async (): Promise<string[]> => [...new Set((await findViolations(database.ownerUrl)).map(({ invariant }) => invariant))].sort();

describe('the invariants', () => {
  it('hold where nothing is wrong: before rating, after it, and after the lease is closed', async () => {
    await expectInvariants(database.ownerUrl);
    await settle((await owner.query('SELECT uuidv7() AS id')).rows[0].id, { flush: 2, counts: { input: 2 }, charge: '0.857142857143' });
    await expectInvariants(database.ownerUrl);
    await owner.query('SELECT lease_return($1, $2)', [session, JSON.stringify([{ organization: tenant.organizationId, lease, keep: '2.428571428572', close: true }])]);
    await expectInvariants(database.ownerUrl);
    await owner.query('SELECT session_reap($1)', [session]);
    await expectInvariants(database.ownerUrl);
  });

  it('round half to even, exactly', async () => {
    // 1 × 0.000000000005 ÷ 2 is 2.5 units of the last digit, 3 × that is 7.5: to even, that is 2 and 8.
    await owner.query("ALTER TABLE rate DISABLE TRIGGER ALL; UPDATE rate SET amount = 0.000000000005, per = 2");
    await owner.query("UPDATE usage SET counts = '{\"input\": 1, \"output\": 3}', rated = 0.000000000010, charge = 0.000000000010");
    expect(await findViolations(database.ownerUrl)).not.toContainEqual(expect.objectContaining({ invariant: 'I7' }));
  });

  it.each<[string, string, string[]]>([
    ['a posting that is one-sided', "INSERT INTO ledger_posting SELECT organization_id, transaction_id, 99, 'cash_clearing', unit, 1 FROM ledger_posting LIMIT 1", ['I1']],
    ['usage that was changed', 'UPDATE usage SET finish_reason = finish_reason', ['I1']],
    ['usage that was deleted', 'DELETE FROM usage', ['I5', 'ledger']],
    ['a posting that was deleted', 'DELETE FROM ledger_posting', ['I1', 'ledger']],
    ['a grant that has more available than it should', 'UPDATE credit_grant SET available = available + 1, granted = granted + 1', ['ledger']],
    ['a grant that leases what no lease has', 'UPDATE credit_grant SET available = available - 1, leased = leased + 1', ['I2']],
    ['a lease that was spent beyond its slice', 'UPDATE lease SET slice = 1', ['I2']],
    ['a lease that closed with another sum', 'UPDATE lease SET slice = 2, settled = 2, closed_at = kt_now(); UPDATE credit_grant SET leased = 0, settled = 2, available = 8', ['I2']],
    ['a grant below its floor', 'ALTER TABLE credit_grant DROP CONSTRAINT never_below_the_floor; UPDATE credit_grant SET available = -1, granted = granted - 7', ['I3', 'ledger']],
    ['a lease of another session', 'UPDATE lease SET session_id = (SELECT id FROM session WHERE id <> lease.session_id)', ['I2']],
    ['two charged attempts', `INSERT INTO usage SELECT again.* FROM usage u, jsonb_populate_record(u, '{"attempt": 1}') again`, ['I5', 'ledger']],
    ['a flush that was rated and waits to be rated', "INSERT INTO unrated_batch SELECT session_id, flush, shard, ARRAY[organization_id], ARRAY[id], ARRAY[attempt] FROM usage", ['I5']],
    ['a flush that nobody will rate', 'DELETE FROM rated_flush', ['I5', 'ledger']],
    ['a batch with another number of rows', 'UPDATE rated_batch SET rows = 7', ['I5']],
    ['an allocation that is not the charge', `UPDATE usage SET allocations = jsonb_set(allocations, '{0,amount}', '"1"')`, ['I1', 'I6']],
    ['a charge that the price does not make', 'UPDATE rate SET amount = amount + 0.000000000004', ['I7']],
    ['a class without a price', 'DELETE FROM rate', ['I7']],
    ['a price of another model', "INSERT INTO model VALUES ('other', 1, 1, 'seed'); UPDATE price_version SET model_id = 'other'", ['I8']],
    ['counts that are no numbers', `UPDATE usage SET counts = '{"input": -2, "output": 1}'`, ['I1', 'I7', 'counts']],
    ['usage in quarantine', "INSERT INTO usage_quarantine SELECT organization_id, id, 0, session_id, 'test', 'raw' FROM usage", ['quarantine']],
    ['a reaped session that holds a lease', 'UPDATE session SET reaped_at = kt_now()', ['sessions']],
    ['a zombie that settled', "UPDATE session SET reaped_at = kt_now() - interval '1 hour'", ['sessions']],
    ['another ledger total', 'UPDATE ledger_posting SET amount = amount * 2', ['I1', 'ledger']],
  ])('find %s', async (_, sql, expected) => {
    await owner.query("SELECT session_open(gen_random_uuid(), 'gateway', 'there', 2, 'test', NULL)");
    // The database refuses what some of these do; who may disable its triggers can do it all the same.
    await owner.query('ALTER TABLE ledger_posting DISABLE TRIGGER ledger_posting_is_final');
    await owner.query(sql);
    await owner.query('SELECT pg_stat_force_next_flush()');
    expect(await broken()).toEqual(expected);
  });
});
