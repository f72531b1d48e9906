import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';

let money: MoneyDatabase;
let session: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  session = await money.newSession();
});
afterEach(() => expectInvariants(money.database.ownerUrl));
afterAll(() => money.drop());

const takenOf = ({ leases }: { leases: { grantId: string; slice: string }[] }): [string, string][] => leases.map(({ grantId, slice }) => [grantId, slice]);

describe('lease_take', () => {
  it('moves money from available to leased, and says what the grants hold afterwards', async () => {
    const { grantIds } = await money.newTenant('10');
    const answer = await money.take(session, { need: '4' });
    expect(answer).toMatchObject({ available: '6', leased: '4', leases: [{ grantId: grantIds[0], slice: '4', models: null }] });
    expect(await money.grant(grantIds[0]!)).toEqual({ available: '6', leased: '4', settled: '0', expired: '0' });
  });

  it('executed again answers the same leases and moves nothing', async () => {
    const { grantIds } = await money.newTenant('5', '10');
    const ask = { id: money.mintId(), need: '8', spare: '3', firstUsageId: money.mintId() };
    const first = await money.take(session, ask);
    expect(await money.take(session, ask)).toEqual(first);
    expect(await money.take(session, { ...ask, need: '1' })).toEqual(first);
    expect(await money.grant(grantIds[0]!)).toMatchObject({ available: '0', leased: '5' });
  });

  it('executed by many at once takes once', async () => {
    const { grantIds } = await money.newTenant('10');
    const ask = { id: money.mintId(), need: '3', firstUsageId: money.mintId() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => money.take(session, ask)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await money.grant(grantIds[0]!)).toMatchObject({ available: '7', leased: '3' });
  });

  it('that got nothing gets nothing later, when nobody would know of it; the next ask does', async () => {
    await money.newTenant();
    const refused = { id: money.mintId(), need: '3', firstUsageId: money.mintId() };
    expect(await money.take(session, refused)).toEqual({ available: '0', leased: '0', leases: [] });
    const grantId = await money.issue('10');
    expect(await money.take(session, refused)).toMatchObject({ available: '10', leased: '0', leases: [] });
    const next = { id: money.mintId(), need: '4' };
    expect(takenOf(await money.take(session, next))).toEqual([[grantId, '4']]);
    // Late once more, after another ask: neither takes again.
    expect(await money.take(session, refused)).toMatchObject({ leases: [] });
    expect(takenOf(await money.take(session, next))).toEqual([[grantId, '4']]);
    // Another session's ask is not concerned.
    expect(takenOf(await money.take(await money.newSession(), { need: '1' }))).toEqual([[grantId, '1']]);
  });

  it.each([
    // available, need, least, spare: what is taken
    ['10', '4', '4', '0', '4'],
    ['10', '10', '10', '0', '10'],
    ['10', '12', '7', '0', '10'],
    ['10', '12', '12', '0', '0'],
    ['10', '0', '0', '0', '0'],
    // The spare part is at most an eighth of what would remain.
    ['100', '20', '20', '1000', '30'],
    ['100', '20', '20', '5', '25'],
    ['100', '0', '0', '1000', '12.5'],
    ['10', '10', '10', '1000', '10'],
    ['10', '12', '7', '1000', '10'],
    ['0.000000000009', '0', '0', '1', '0.000000000001'],
    ['0.000000000007', '0', '0', '1', '0'],
  ])('of %s, asked for %s (at least %s) and %s to spare, takes %s', async (available, need, least, spare, taken) => {
    const { grantIds } = await money.newTenant(available);
    await money.take(session, { need, least, spare });
    expect((await money.grant(grantIds[0]!)).leased).toBe(taken);
  });

  it('takes nothing of any grant where all together do not cover the least', async () => {
    const { grantIds } = await money.newTenant('3', '3');
    expect(await money.take(session, { need: '7' })).toEqual({ available: '6', leased: '0', leases: [] });
    expect(takenOf(await money.take(session, { need: '7', least: '6' }))).toEqual([[grantIds[0], '3'], [grantIds[1], '3']]);
  });

  describe('burns by priority, soonest expiry, promotional, beginning, creation, id', () => {
    /** Each grant comes before the next by one criterion, though it comes later by all that count less. Hours from now. */
    const terms: { id: number; priority: number; expires: number | null; promotional: boolean; effective: number; created: number }[] = [
      { id: 9, priority: 1, expires: null, promotional: false, effective: -1, created: -1 },
      { id: 8, priority: 2, expires: 1, promotional: false, effective: -1, created: -1 },
      { id: 7, priority: 2, expires: 2, promotional: true, effective: -1, created: -1 },
      { id: 6, priority: 2, expires: 2, promotional: false, effective: -3, created: -1 },
      { id: 5, priority: 2, expires: 2, promotional: false, effective: -2, created: -3 },
      { id: 3, priority: 2, expires: 2, promotional: false, effective: -2, created: -2 },
      { id: 4, priority: 2, expires: 2, promotional: false, effective: -2, created: -2 },
      { id: 2, priority: 2, expires: null, promotional: true, effective: -9, created: -9 },
    ];

    const issueAll = async (): Promise<string[]> => {
      const { organizationId } = await money.newTenant();
      const ids = terms.map(({ id }) => `${organizationId.slice(0, 24)}${String(id).padStart(12, '0')}`);
      for (const id of [...ids].reverse()) await money.sql("SELECT grant_issue_against($1, $2::uuid, 'USD', 1, 'prepaid', $2::text, 100::smallint, NULL, NULL, NULL, NULL)", [organizationId, id]);
      const rows = terms.map((term, index) => ({ ...term, id: ids[index] }));
      await money.sql(
        `UPDATE credit_grant g SET priority = t.priority, promotional = t.promotional, expires_at = now() + make_interval(hours => t.expires),
           effective_at = now() + make_interval(hours => t.effective), created_at = now() + make_interval(hours => t.created)
         FROM json_to_recordset($1) AS t(id uuid, priority smallint, expires integer, promotional boolean, effective integer, created integer)
         WHERE g.organization_id = $2 AND g.id = t.id`,
        [JSON.stringify(rows), organizationId],
      );
      return ids;
    };

    it('one after another', async () => {
      const inOrder = await issueAll();
      const taken: string[] = [];
      for (let index = 0; index < inOrder.length; index += 1) taken.push(...takenOf(await money.take(session, { need: '1' })).map(([id]) => id));
      expect(taken).toEqual(inOrder);
    });

    it('and answers in that order', async () => {
      const inOrder = await issueAll();
      expect(takenOf(await money.take(session, { need: '8' })).map(([id]) => id)).toEqual(inOrder);
    });
  });

  it.each([
    ['another unit', "unit = 'EUR'"],
    ['other models alone', "scope_models = '{other}'"],
    ['a time to come', "effective_at = kt_now() + interval '1 hour'"],
    ['a time that is over', "effective_at = kt_now() - interval '2 hours', expires_at = kt_now() - interval '1 hour'"],
    ['a refund', 'closing_at = kt_now()'],
  ])('takes nothing from a grant for %s', async (_name, change) => {
    const { grantIds } = await money.newTenant('10');
    await money.sql(`UPDATE credit_grant SET ${change} WHERE id = $1`, [grantIds[0]]);
    expect(await money.take(session, { need: '1' })).toEqual({ available: '0', leased: '0', leases: [] });
    await money.sql("UPDATE credit_grant SET unit = 'USD', expires_at = NULL WHERE id = $1", [grantIds[0]]);
  });

  it('takes from a grant that is for this model among others', async () => {
    const { grantIds } = await money.newTenant({ amount: '10', models: ['other', 'mock'] });
    expect(await money.take(session, { need: '1' })).toMatchObject({ leases: [{ grantId: grantIds[0], models: ['other', 'mock'] }] });
  });

  it("takes nothing from another organization's grant", async () => {
    await money.newTenant('10');
    await money.newTenant();
    expect(await money.take(session, { need: '1' })).toEqual({ available: '0', leased: '0', leases: [] });
  });

  it('is refused to a session that was reaped', async () => {
    await money.newTenant('10');
    await money.reap(session);
    expect(await sqlStateFrom(money.take(session, { need: '1' }))).toBe('KT001');
    expect(await sqlStateFrom(money.take(money.mintId(), { need: '1' }))).toBe('KT001');
  });
});

describe('a recall', () => {
  it("wants back what other sessions lease, where there is too little, and never the asker's own", async () => {
    await money.newTenant('10');
    const other = await money.newSession();
    const mine = (await money.take(session, { need: '2' })).leases[0]!.leaseId;
    const theirs = (await money.take(other, { need: '5' })).leases[0]!.leaseId;
    await money.take(session, { need: '3' });
    expect((await money.poll(other)).recalled).toEqual([]);
    expect(await money.take(session, { need: '1' })).toMatchObject({ leases: [] });
    expect((await money.poll(other)).recalled).toEqual([{ organizationId: money.tenant.organizationId, leaseId: theirs }]);
    expect((await money.poll(session)).recalled).toEqual([]);
    expect((await money.lease(mine)).isRecalled).toBe(false);
    await money.giveBack(other, { lease: theirs, keep: '1' });
    expect((await money.poll(other)).recalled).toEqual([]);
    expect(await money.take(session, { need: '4' })).toMatchObject({ available: '0', leases: [{ slice: '4' }] });
  });

  it('also comes where a part was there: the rest may be idle elsewhere', async () => {
    await money.newTenant('10');
    const other = await money.newSession();
    await money.take(other, { need: '6' });
    expect(await money.take(session, { need: '5', least: '1' })).toMatchObject({ leases: [{ slice: '4' }] });
    expect((await money.poll(other)).recalled).toHaveLength(1);
  });
});

describe('lease_return', () => {
  const leased = async (...slices: string[]): Promise<{ grantId: string; leases: string[] }> => {
    const { grantIds } = await money.newTenant('100');
    const leases: string[] = [];
    for (const need of slices) leases.push((await money.take(session, { need })).leases[0]!.leaseId);
    return { grantId: grantIds[0]!, leases };
  };

  it('says what a lease keeps, so that again and late it changes nothing', async () => {
    const { grantId, leases } = await leased('10');
    const first = { lease: leases[0]!, keep: '6' };
    const second = { lease: leases[0]!, keep: '4' };
    expect(await money.giveBack(session, first)).toBe(1);
    expect(await money.grant(grantId)).toMatchObject({ available: '94', leased: '6' });
    for (const again of [first, second, second, first]) await money.giveBack(session, again);
    expect(await money.grant(grantId)).toMatchObject({ available: '96', leased: '4' });
  });

  it('closes a lease with what it settled, once', async () => {
    const { grantId, leases } = await leased('10');
    const [lease] = leases;
    await money.settle(session, 1, { charge: 3, allocations: [{ lease: lease!, grant: grantId, amount: '3' }] });
    const close = { lease: lease!, keep: '3', close: true };
    expect(await money.giveBack(session, close)).toBe(1);
    expect(await money.giveBack(session, close)).toBe(0);
    expect(await money.giveBack(session, { lease: lease!, keep: '0' })).toBe(0);
    expect(await money.grant(grantId)).toEqual({ available: '97', leased: '0', settled: '3', expired: '0' });
    expect(await money.lease(lease!)).toEqual({ slice: '3', settled: '3', isClosed: true, isRecalled: false });
  });

  it('shrinks a lease once that a batch names twice', async () => {
    const { grantId, leases } = await leased('10', '10');
    const [first, second] = leases;
    await money.settle(session, 1, { charge: 2, allocations: [{ lease: first!, grant: grantId, amount: '2' }] });
    expect(await money.giveBack(session, { lease: first!, keep: '6' }, { lease: second!, keep: '5' }, { lease: first!, keep: '2', close: true })).toBe(2);
    expect(await money.grant(grantId)).toEqual({ available: '93', leased: '5', settled: '2', expired: '0' });
    expect(await money.lease(first!)).toMatchObject({ slice: '2', isClosed: true });
  });

  it('touches no lease of another session or organization', async () => {
    const { leases } = await leased('10');
    const other = await money.newSession();
    expect(await money.giveBack(other, { lease: leases[0]!, keep: '0' })).toBe(0);
    expect(await money.giveBack(session, { lease: leases[0]!, keep: '0', organization: money.mintId() })).toBe(0);
    expect(await money.lease(leases[0]!)).toMatchObject({ slice: '10', isClosed: false });
  });

  it.each([
    ['more than the slice, closed', { keep: '11', close: true }],
    ['less than nothing', { keep: '-1' }],
  ])('that would keep %s is refused, and nothing of its batch happens', async (_name, wrong) => {
    const { grantId, leases } = await leased('10', '10');
    expect(await sqlStateFrom(money.giveBack(session, { lease: leases[0]!, keep: '1' }, { lease: leases[1]!, ...wrong }))).toBe('23514');
    expect(await money.grant(grantId)).toMatchObject({ available: '80', leased: '20' });
  });

  it('is refused to a session that was reaped', async () => {
    const { leases } = await leased('10');
    await money.reap(session);
    expect(await sqlStateFrom(money.giveBack(session, { lease: leases[0]!, keep: '0', close: true }))).toBe('KT001');
  });
});

describe('a grant that expires', () => {
  afterEach(() => money.shiftClock('0'));

  const breakage = async (grantId: string): Promise<string> =>
    (
      await money.sql<{ amount: string }>(
        `SELECT trim_scale(coalesce(-sum(p.amount), 0))::text AS amount FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id
         WHERE t.kind = 'grant_expired' AND t.source_id LIKE $1 || ':%' AND p.account = 'breakage_revenue'`,
        [grantId],
      )
    )[0]!.amount;

  it('loses what is available, posted once, and the rest as it returns', async () => {
    const { grantIds } = await money.newTenant({ amount: '10', expiresInMs: 3_600_000 });
    const [grantId] = grantIds;
    const lease = (await money.take(session, { need: '6' })).leases[0]!.leaseId;
    await money.settle(session, 1, { charge: 1, allocations: [{ lease, grant: grantId!, amount: '1' }] });
    expect(await money.expireGrants()).toBe(0);
    await money.shiftClock('2 hours');
    expect(await money.expireGrants()).toBe(1);
    expect(await money.expireGrants()).toBe(0);
    expect(await money.grant(grantId!)).toEqual({ available: '0', leased: '6', settled: '0', expired: '4' });
    for (const keep of ['4', '4', '3']) await money.giveBack(session, { lease, keep });
    expect(await money.grant(grantId!)).toEqual({ available: '0', leased: '3', settled: '0', expired: '7' });
    for (let times = 0; times < 2; times += 1) await money.giveBack(session, { lease, keep: '1', close: true });
    expect(await money.grant(grantId!)).toEqual({ available: '0', leased: '0', settled: '1', expired: '9' });
    expect(await breakage(grantId!)).toBe('9');
  });

  it('is posted in the order of organizations, whatever the plan: a rating locks their chains in that order too', async () => {
    const returns: { organization: string; lease: string; keep: number; close: boolean }[] = [];
    for (let organizations = 0; organizations < 12; organizations += 1) {
      const { organizationId } = await money.newTenant({ amount: '10', expiresInMs: 3_600_000 });
      const [lease] = (await money.take(session, { need: '6' })).leases;
      returns.push({ organization: organizationId, lease: lease!.leaseId, keep: 0, close: false });
    }
    await money.shiftClock('2 hours');
    const client = await money.app.connect();
    try {
      // Grants are summed up by hashing, as where there are many: what comes out of that has no order.
      await client.query('SET enable_sort = off');
      expect((await client.query('SELECT lease_return($1, $2) AS changed', [session, JSON.stringify(returns)])).rows).toEqual([{ changed: 12 }]);
    } finally {
      client.release(true);
    }
    const posted = await money.sql<{ organization: string }>(
      // Ids that one connection mints ascend.
      "SELECT organization_id AS organization FROM ledger_transaction WHERE kind = 'grant_expired' AND organization_id = ANY ($1) ORDER BY id",
      [returns.map(({ organization }) => organization)],
    );
    expect(posted.map(({ organization }) => organization)).toEqual(returns.map(({ organization }) => organization).sort());
  });
});

describe('the floor', () => {
  it.each([
    ['available', 'available = -1, granted = granted - 11'],
    ['leased', 'leased = -1, available = available + 1'],
    ['conservation', 'available = available + 1'],
    ['numbers', "granted = 'NaN', available = 'NaN'"],
  ])('is kept by the database itself: %s', async (_name, change) => {
    const { grantIds } = await money.newTenant('10');
    expect(await sqlStateFrom(money.sql(`UPDATE credit_grant SET ${change} WHERE id = $1`, [grantIds[0]]))).toBe('23514');
  });
});
