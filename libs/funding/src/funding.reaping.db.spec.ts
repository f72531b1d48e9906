import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectInvariants, withOwner } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { newPaidLease, type PaidLease } from '../../../test/support/paid-lease.js';
import { until } from '../../../test/support/until.js';

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
afterEach(async () => {
  await money.shiftClock('0');
  await expectInvariants(money.database.ownerUrl, { quarantineExpected });
});
afterAll(() => money.drop());

const billed = () => money.sql<{ id: string; charge: string; flush: bigint }>('SELECT id, trim_scale(charge)::text AS charge, flush FROM usage WHERE organization_id = $1 ORDER BY id', [money.tenant.organizationId]);

describe('session_reap', () => {
  it('bills open requests by their last checkpoint, and gives back what was not spent', async () => {
    const settled = paid(5);
    await money.settle(session, 1, settled);
    const open = [paid(1, { opened: true, outcome: 'interrupted' }), paid(2, { opened: true, outcome: 'interrupted' })];
    await money.checkpoint(session, ...open);
    const last = { ...open[0]!, charge: 11, counts: { input: 11 }, rated: '11', allocations: [{ lease, grant, amount: '11' }] };
    await money.checkpoint(session, last);
    expect(await money.reap(session)).toEqual({ reaped: true, billed: 2, leases: 1 });
    expect((await billed()).map(({ id, charge }) => [id, charge])).toEqual([[settled.id, '5'], [open[0]!.id, '11'], [open[1]!.id, '2']]);
    expect(await money.grant(grant)).toEqual({ available: '982', leased: '0', settled: '18', expired: '0' });
    expect(await money.lease(lease)).toMatchObject({ slice: '18', settled: '18', isClosed: true });
    expect((await money.poll(session)).alive).toBe(false);
  });

  it('queues what it bills for the rater', async () => {
    await money.checkpoint(session, paid(2, { opened: true }));
    await money.reap(session);
    expect(await money.sql('SELECT flush, cardinality(usage_ids) AS rows FROM unrated_batch WHERE session_id = $1', [session])).toEqual([{ flush: -1n, rows: 1 }]);
  });

  it('executed again changes nothing, by however many', async () => {
    await money.checkpoint(session, paid(2, { opened: true }));
    const answers = await Promise.all(Array.from({ length: 5 }, () => money.reap(session)));
    expect(answers.filter(({ reaped }) => reaped)).toEqual([{ reaped: true, billed: 1, leases: 1 }]);
    expect(await money.reap(session)).toEqual({ reaped: false, billed: 0, leases: 0 });
    expect(await money.grant(grant)).toEqual({ available: '998', leased: '0', settled: '2', expired: '0' });
  });

  it('of a session that never was does nothing', async () => {
    expect(await money.reap(money.mintId())).toEqual({ reaped: false, billed: 0, leases: 0 });
  });

  it('bills nothing where there was no checkpoint, and everything returns', async () => {
    expect(await money.reap(session)).toEqual({ reaped: true, billed: 0, leases: 1 });
    expect(await money.grant(grant)).toEqual({ available: '1000', leased: '0', settled: '0', expired: '0' });
  });

  it('bills a request once that settled while its open row stayed', async () => {
    const row = paid(3);
    await money.settle(session, 1, row);
    await money.sql('INSERT INTO open_request (organization_id, id, session_id, holds, settlement) VALUES ($1, $2, $3, $4, $5)', [
      money.tenant.organizationId, row.id, session, '[]', JSON.stringify([money.usageRow({ ...row, charge: 1 })]),
    ]);
    expect(await money.reap(session)).toMatchObject({ billed: 0 });
    expect((await billed()).map(({ charge }) => charge)).toEqual(['3']);
    expect(await money.grant(grant)).toMatchObject({ available: '997', settled: '3' });
  });

  it('bills every attempt of a request', async () => {
    const id = money.mintId();
    const settlement = [money.usageRow({ id, attempt: 0, charge: 0, opened: true }), money.usageRow(paid(4, { id, attempt: 1, opened: true }))];
    await money.app.query('SELECT checkpoint_requests($1, $2)', [session, JSON.stringify([{ organization: money.tenant.organizationId, id, holds: [], settlement }])]);
    expect(await money.reap(session)).toMatchObject({ billed: 2 });
  });

  it('puts a row that cannot be stored into quarantine, and bills the rest', async () => {
    quarantineExpected = true;
    const good = [paid(2, { opened: true }), paid(3, { opened: true })];
    const bad = [paid(4, { opened: true, hold: '1' }), paid(4, { opened: true, counts: null }), paid(4, { opened: true, organization: undefined })];
    await money.checkpoint(session, good[0]!, ...bad, good[1]!);
    await money.sql("UPDATE open_request SET settlement = '[{\"organization\": \"not even this\"}]' WHERE id = $1", [bad[2]!.id]);
    expect(await money.reap(session)).toEqual({ reaped: true, billed: 2, leases: 1 });
    const kept = await money.sql<{ id: string; reason: string }>('SELECT id, reason FROM usage_quarantine WHERE session_id = $1 ORDER BY id', [session]);
    expect(kept).toEqual([
      { id: bad[0]!.id, reason: 'reap:23514' },
      { id: bad[1]!.id, reason: 'reap:23502' },
      { id: bad[2]!.id, reason: 'reap:22P02' },
    ]);
    expect(await money.grant(grant)).toEqual({ available: '995', leased: '0', settled: '5', expired: '0' });
    expect(await money.sql('SELECT FROM open_request WHERE session_id = $1', [session])).toEqual([]);
  });

  it('gives nothing back to a grant that has expired', async () => {
    const tenant = await money.newTenant({ amount: '10', expiresInMs: 3_600_000 });
    const taken = (await money.take(session, { need: '6' })).leases[0]!.leaseId;
    await money.settle(session, 1, { charge: 1, allocations: [{ lease: taken, grant: tenant.grantIds[0]!, amount: '1' }] });
    await money.shiftClock('2 hours');
    await money.reap(session);
    await money.expireGrants();
    expect(await money.grant(tenant.grantIds[0]!)).toEqual({ available: '0', leased: '0', settled: '1', expired: '9' });
  });

  it("ends one session's leases of many grants and organizations, and no other session's", async () => {
    const other = await money.newSession();
    const first = { grant, lease, tenant: money.tenant };
    const theirs = (await money.take(other, { need: '50' })).leases[0]!.leaseId;
    const second = await money.newTenant('4', '10');
    await money.take(session, { need: '6' });
    expect(await money.reap(session)).toMatchObject({ leases: 3 });
    expect(await money.grant(second.grantIds[0]!)).toMatchObject({ available: '4', leased: '0' });
    expect(await money.grant(second.grantIds[1]!)).toMatchObject({ available: '10', leased: '0' });
    expect(await money.grant(first.grant)).toMatchObject({ available: '950', leased: '50' });
    expect(await money.lease(theirs)).toMatchObject({ isClosed: false });
  });

  it('forgets the asks that it was refused', async () => {
    await money.take(session, { need: '5000' });
    expect(await money.sql('SELECT FROM refused_ask WHERE session_id = $1', [session])).toHaveLength(1);
    await money.reap(session);
    expect(await money.sql('SELECT FROM refused_ask WHERE session_id = $1', [session])).toEqual([]);
  });
});

describe('a settlement and a reaper at the same moment', () => {
  const isBlocked = async (needle: string): Promise<boolean> =>
    (await money.sql("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1", [`%${needle}%`])).length > 0;

  it('the reaper waits for settlements that hold the fence, also for those that began after it, and counts them', async () => {
    const [first, second] = await Promise.all([money.app.connect(), money.app.connect()]);
    try {
      await first.query('BEGIN');
      await first.query('SELECT settle($1, 1, $2)', [session, JSON.stringify([money.usageRow(paid(30))])]);
      const reaping = money.reap(session);
      await until('the reaper waits', () => isBlocked('session_reap'));
      await second.query('BEGIN');
      await second.query('SELECT settle($1, 2, $2)', [session, JSON.stringify([money.usageRow(paid(12))])]);
      await first.query('COMMIT');
      await second.query('COMMIT');
      expect(await reaping).toEqual({ reaped: true, billed: 0, leases: 1 });
    } finally {
      first.release();
      second.release();
    }
    expect(await money.grant(grant)).toEqual({ available: '958', leased: '0', settled: '42', expired: '0' });
    // By the times that are stored, too: the second would be taken for a zombie's otherwise.
    expect(await money.sql('SELECT s.reaped_at > u.settled_at AS "inTime" FROM session s JOIN usage u ON u.session_id = s.id WHERE s.id = $1', [session])).toEqual([{ inTime: true }, { inTime: true }]);
  });

  it('a settlement that waits for the reaper settles nothing: its session is over', async () => {
    const row = paid(30);
    await withOwner(money.database.ownerUrl, async (reaper) => {
      await reaper.query('BEGIN');
      await reaper.query('SELECT session_reap($1)', [session]);
      const settling = sqlStateFrom(money.settle(session, 1, row));
      await until('the settlement waits', () => isBlocked('settle('));
      await reaper.query('COMMIT');
      expect(await settling).toBe('KT001');
    });
    expect(await billed()).toEqual([]);
    expect(await money.grant(grant)).toEqual({ available: '1000', leased: '0', settled: '0', expired: '0' });
  });

  it.each(['take', 'give back', 'checkpoint'] as const)('so does what would %s', async (what) => {
    await withOwner(money.database.ownerUrl, async (reaper) => {
      await reaper.query('BEGIN');
      await reaper.query('SELECT session_reap($1)', [session]);
      const calls = {
        take: () => money.take(session, { need: '1' }),
        'give back': () => money.giveBack(session, { lease, keep: '0', close: true }),
        checkpoint: () => money.checkpoint(session, paid(1, { opened: true })),
      };
      const waiting = sqlStateFrom(calls[what]());
      await until('it waits', () => isBlocked({ take: 'lease_take', 'give back': 'lease_return', checkpoint: 'checkpoint_requests' }[what]));
      await reaper.query('COMMIT');
      expect(await waiting).toBe('KT001');
    });
  });
});
