import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom, type Usage } from '../../../test/support/money-database.js';
import { newPaidLease, type PaidLease } from '../../../test/support/paid-lease.js';

let money: MoneyDatabase;
let session: string;
let grant: string;
let lease: string;
let paid: PaidLease['paid'];
let quarantineExpected = false;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  ({ session, grant, lease, paid } = await newPaidLease(money));
});
afterEach(() => expectInvariants(money.database.ownerUrl, { quarantineExpected }));
afterAll(() => money.drop());

const usageOf = () => money.sql<{ id: string; attempt: number; charge: string }>('SELECT id, attempt, trim_scale(charge)::text AS charge FROM usage WHERE organization_id = $1 ORDER BY id, attempt', [money.tenant.organizationId]);
const waiting = async (): Promise<{ flush: string; ids: string[] }[]> =>
  (await money.sql<{ flush: bigint; usage_ids: string[] }>('SELECT flush, usage_ids FROM unrated_batch WHERE session_id = $1 ORDER BY flush, shard', [session])).map(({ flush, usage_ids }) => ({ flush: String(flush), ids: [...usage_ids].sort() }));
const openRequests = async (): Promise<string[]> => (await money.sql<{ id: string }>('SELECT id FROM open_request WHERE organization_id = $1 ORDER BY id', [money.tenant.organizationId])).map(({ id }) => id);

describe('settle', () => {
  it('writes the rows of a flush and queues them for the rater, once', async () => {
    const rows = [paid(3), paid(5)];
    expect(await money.settle(session, 1, ...rows)).toBe(2);
    expect(await money.settle(session, 1, ...rows)).toBe(0);
    expect((await usageOf()).map(({ charge }) => charge)).toEqual(['3', '5']);
    expect(await waiting()).toEqual([{ flush: '1', ids: rows.map(({ id }) => id) }]);
  });

  it('executed by several at once writes and queues once', async () => {
    const rows = [paid(3), paid(5)];
    const written = await Promise.all(Array.from({ length: 6 }, () => money.settle(session, 1, ...rows)));
    expect(written.sort()).toEqual([0, 0, 0, 0, 0, 2]);
    expect(await waiting()).toHaveLength(1);
  });

  it('counts a row once that comes again with other times', async () => {
    const row = paid(3);
    await money.settle(session, 1, row);
    const again = JSON.stringify([{ ...money.usageRow(row), admitted: 3_000_000, finished: 4_000_000 }]);
    expect((await money.app.query('SELECT settle($1, 1, $2) AS written', [session, again])).rows).toEqual([{ written: 0 }]);
    expect((await usageOf()).map(({ charge }) => charge)).toEqual(['3']);
    expect(await waiting()).toEqual([{ flush: '1', ids: [row.id] }]);
  });

  it('touches neither grant nor lease: those are counted when the lease returns', async () => {
    const before = [await money.grant(grant), await money.lease(lease)];
    await money.settle(session, 1, paid(3));
    expect([await money.grant(grant), await money.lease(lease)]).toEqual(before);
  });

  it('queues a flush by the shard of its account, so that raters can divide them', async () => {
    const row = money.usageRow(paid(3));
    const rows = ['a', 'b'].map((digit) => ({ ...row, id: money.mintId(), root: `00000000-0000-7000-8000-00000000000${digit}` }));
    const settleAs = (one: (typeof rows)[number], flush: number) => client.query('SELECT settle($1, $2, $3)', [session, flush, JSON.stringify([one])]);
    const client = await money.owner.connect();
    try {
      // An organization has one root: what is looked at is the queue alone, and nothing of it stays.
      await client.query('BEGIN');
      for (const [index, one] of rows.entries()) {
        await client.query('UPDATE organization SET account_root_id = $2 WHERE id = $1', [money.tenant.organizationId, one.root]);
        await settleAs(one, index + 1);
      }
      const { rows: batches } = await client.query('SELECT shard, usage_ids FROM unrated_batch WHERE session_id = $1 ORDER BY shard', [session]);
      expect(batches).toEqual([{ shard: 10, usage_ids: [rows[0]!.id] }, { shard: 11, usage_ids: [rows[1]!.id] }]);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });

  it('writes every attempt of a request, of which one is charged', async () => {
    const id = money.mintId();
    await money.settle(session, 1, { id, attempt: 0, charge: 0, outcome: 'upstream_failed' }, paid(4, { id, attempt: 1 }));
    expect((await usageOf()).map(({ attempt, charge }) => [attempt, charge])).toEqual([[0, '0'], [1, '4']]);
    expect(await waiting()).toEqual([{ flush: '1', ids: [id, id] }]);
  });

  type Changed = (row: Usage) => [flush: number, row: Usage];
  it.each<[string, Changed]>([
    ['another charge', (row) => [1, { ...row, charge: 4, counts: { input: 3 }, rated: '4', allocations: [{ lease, grant, amount: '4' }] }]],
    ['other counts', (row) => [1, { ...row, counts: { input: 3, output: 0 } }]],
    ['another flush', (row) => [2, row]],
  ])('refuses a row that exists with %s, and all that is with it', async (_name, change) => {
    const row = paid(3);
    await money.settle(session, 1, row);
    const [flush, other] = change(row);
    // A number that was used before would refuse a new row already for that.
    const innocent = flush === 1 ? [] : [paid(5)];
    expect(await sqlStateFrom(money.settle(session, flush, ...innocent, other))).toBe('KT002');
    expect((await usageOf()).map(({ id }) => id)).toEqual([row.id]);
    expect(await waiting()).toHaveLength(1);
  });

  it("refuses another session's row", async () => {
    const row = paid(3);
    await money.settle(session, 1, row);
    expect(await sqlStateFrom(money.settle(await money.newSession(), 1, row))).toBe('KT002');
  });

  it('refuses to queue other rows under a number that was used', async () => {
    await money.settle(session, 1, paid(3));
    expect(await sqlStateFrom(money.settle(session, 1, paid(5)))).toBe('23505');
    expect(await usageOf()).toHaveLength(1);
  });

  it('is refused to a session that was reaped, or that never was', async () => {
    await money.reap(session);
    expect(await sqlStateFrom(money.settle(session, 1, paid(3)))).toBe('KT001');
    expect(await sqlStateFrom(money.settle(money.mintId(), 1, paid(3)))).toBe('KT001');
    expect(await usageOf()).toEqual([]);
  });

  it.each<[string, Partial<Usage>, string]>([
    ['a charge above its hold', { hold: '2' }, '23514'],
    ['a charge above what it was rated', { rated: '2' }, '23514'],
    ['a charge below nothing', { charge: -1, rated: '0', counts: {} }, '23514'],
    ['an amount that is no number to anybody but Postgres', { charge: 'NaN', rated: 'NaN', hold: 'NaN' }, '23514'],
    ['no counts', { counts: null }, '23502'],
    ['an amount too large for its column', { charge: '1e27', rated: '1e27', hold: '1e27' }, '22003'],
    ['an amount that is none', { charge: 'much' }, '22P02'],
  ])('refuses %s, and all that is with it', async (_name, poison, sqlState) => {
    expect(await sqlStateFrom(money.settle(session, 1, paid(5), paid(3, poison)))).toBe(sqlState);
    expect(await usageOf()).toEqual([]);
    expect(await waiting()).toEqual([]);
  });

  it('closes what was opened, in the same transaction', async () => {
    const [opened, other] = [paid(3, { opened: true }), paid(4, { opened: true })];
    await money.checkpoint(session, opened, other);
    expect(await sqlStateFrom(money.settle(session, 1, opened, paid(3, { hold: '2' })))).toBe('23514');
    expect(await openRequests()).toEqual([opened.id, other.id]);
    await money.settle(session, 1, opened);
    expect(await openRequests()).toEqual([other.id]);
  });
});

describe('checkpoint_requests', () => {
  const settlementOf = async (id: string): Promise<string> => (await money.sql<{ charge: string }>("SELECT settlement -> 0 ->> 'charge' AS charge FROM open_request WHERE id = $1", [id]))[0]!.charge;

  it('opens a request, and says later what it is worth by then', async () => {
    const row = paid(1, { opened: true });
    expect(await money.checkpoint(session, row)).toBe(1);
    expect(await money.checkpoint(session, { ...row, charge: 2 })).toBe(1);
    expect(await settlementOf(row.id)).toBe('2');
    expect(await openRequests()).toEqual([row.id]);
  });

  it('opens no request that is settled: it came late', async () => {
    const row = paid(3, { opened: true });
    await money.checkpoint(session, row);
    await money.settle(session, 1, row);
    expect(await money.checkpoint(session, row)).toBe(0);
    expect(await openRequests()).toEqual([]);
  });

  it('opens no request whose settlement is in quarantine', async () => {
    quarantineExpected = true;
    const row = paid(3, { opened: true });
    await money.quarantine(session, row.id, 'settle:23514');
    expect(await money.checkpoint(session, row)).toBe(0);
    const other = paid(3, { opened: true });
    await money.quarantine(session, other.id, 'vendor_usage');
    expect(await money.checkpoint(session, other)).toBe(1);
  });

  it("changes nothing of another session's request", async () => {
    const row = paid(3, { opened: true });
    await money.checkpoint(session, row);
    expect(await money.checkpoint(await money.newSession(), { ...row, charge: 9 })).toBe(0);
    expect(await settlementOf(row.id)).toBe('3');
  });

  it('is refused to a session that was reaped', async () => {
    await money.reap(session);
    expect(await sqlStateFrom(money.checkpoint(session, paid(3)))).toBe('KT001');
  });

  it('refuses a settlement that is no list of rows: nobody could bill it', async () => {
    const open = [{ organization: money.tenant.organizationId, id: money.mintId(), holds: [], settlement: {} }];
    expect(await sqlStateFrom(money.app.query('SELECT checkpoint_requests($1, $2)', [session, JSON.stringify(open)]))).toBe('23514');
  });
});

describe('usage_quarantine_put', () => {
  beforeEach(() => {
    quarantineExpected = true;
  });

  it('keeps the bytes as they are, once, and closes the request', async () => {
    const row = paid(3, { opened: true });
    await money.checkpoint(session, row);
    for (const raw of ['\0\u{1F4A3}', 'another time']) await money.quarantine(session, row.id, 'settle:22P05', raw);
    const kept = await money.sql<{ raw: Buffer; reason: string }>('SELECT raw, reason FROM usage_quarantine WHERE id = $1', [row.id]);
    expect(kept.map(({ raw, reason }) => [raw.toString(), reason])).toEqual([['\0\u{1F4A3}', 'settle:22P05']]);
    expect(await openRequests()).toEqual([]);
  });

  it('leaves a request open whose vendor said something odd: it is still to be settled', async () => {
    const row = paid(3, { opened: true });
    await money.checkpoint(session, row);
    await money.quarantine(session, row.id, 'vendor_usage');
    expect(await openRequests()).toEqual([row.id]);
  });

  it('is refused to a session that was reaped', async () => {
    await money.reap(session);
    expect(await sqlStateFrom(money.quarantine(session, money.mintId(), 'settle:1'))).toBe('KT001');
  });
});

describe('grant_balances', () => {
  const balance = async (asking: string | null) =>
    (
      await money.sql(
        `SELECT trim_scale(available)::text AS available, trim_scale(leased)::text AS leased, trim_scale(settled)::text AS settled,
           trim_scale(spent_open)::text AS spent_open, trim_scale(held_elsewhere)::text AS held_elsewhere FROM grant_balances($1, $2)`,
        [money.tenant.organizationId, asking],
      )
    )[0];

  it('says in one snapshot what is available, leased, spent of open leases, settled, and held by others', async () => {
    const other = await money.newSession();
    await money.settle(session, 1, paid(7));
    const open = paid(2, { opened: true });
    await money.checkpoint(session, open);
    const state = { available: '900', leased: '100', settled: '0', spent_open: '7' };
    expect(await balance(other)).toEqual({ ...state, held_elsewhere: '2' });
    expect(await balance(null)).toEqual({ ...state, held_elsewhere: '2' });
    expect(await balance(session)).toEqual({ ...state, held_elsewhere: '0' });
    await money.settle(session, 2, open);
    await money.giveBack(session, { lease, keep: '9', close: true });
    expect(await balance(other)).toEqual({ available: '991', leased: '0', settled: '9', spent_open: '0', held_elsewhere: '0' });
  });
});
