import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@kilotoken/platform';
import { pino } from 'pino';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import type { QuarantineKey } from './quarantine.js';
import { discardQuarantined, findQuarantined, repairQuarantined, replayQuarantined } from './quarantine.flow.js';
import { RatingService } from './rating.service.js';

const by = { actor: 'test', note: 'a test' };
let money: MoneyDatabase;
let session: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  await money.newTenant('10');
  session = await money.newSession();
});
afterEach(async () => {
  await rateAll();
  await expectInvariants(money.database.ownerUrl, { quarantineExpected: true });
});
afterAll(() => money.drop());

const rateAll = async (): Promise<void> => {
  const rating = new RatingService({ shards: Array.from({ length: 16 }, (_, shard) => shard), pauseMs: 5, flushesPerRatingMax: 100 }, money.app, systemClock, pino({ level: 'silent' }), () => undefined);
  while (await rating.rateOnce());
};

/** Puts rows of a request into quarantine, as a gateway does with what no table can hold. */
const quarantine = async (raw: string, id: string, reason = 'settle:22P05'): Promise<QuarantineKey> => {
  await money.quarantine(session, id, reason, raw);
  return { organizationId: money.tenant.organizationId, usageId: id, attempt: 0, reason };
};
const rowOf = (charge: number, change: object = {}): { id: string; [field: string]: unknown } => ({ ...(money.usageRow({ charge, cost: '0.5' }) as { id: string }), ...change });
const rawOf = (...rows: object[]): string => rows.map((row) => JSON.stringify(row)).join(',');
const posted = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await money.sql<{ account: string; amount: string }>('SELECT account, trim_scale(sum(amount))::text AS amount FROM ledger_posting WHERE organization_id = $1 GROUP BY account', [money.tenant.organizationId])).map(
      ({ account, amount }) => [account, amount],
    ),
  );
const steps = async () => (await money.sql<{ step: string }>('SELECT step FROM quarantine_step WHERE organization_id = $1 ORDER BY usage_id, sequence', [money.tenant.organizationId])).map(({ step }) => step);

describe('usage that could not be settled', () => {
  it('is repaired and replayed: paid from what the grants have now, rated and posted, its lease closed', async () => {
    const row = rowOf(4);
    const key = await quarantine(rawOf({ ...row, user: 'a\0b' }), row.id);
    await expect(replayQuarantined(money.control, key, by)).rejects.toMatchObject({ code: 'quarantine_unfit', publicMessage: expect.stringContaining('U+0000') });
    await repairQuarantined(money.control, key, rawOf({ ...row, user: 'ab' }), by);
    expect(await replayQuarantined(money.control, key, by)).toEqual({ rows: 1, charged: '4' });
    await rateAll();
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '6', leased: '0', settled: '4' });
    expect(await posted()).toEqual({ cash_clearing: '10', grant_liability: '-6', usage_revenue: '-4', vendor_cost: '0.5', vendor_payable: '-0.5' });
    expect(await steps()).toEqual(['repaired', 'replayed']);
    expect(await findQuarantined(money.control, { organizationId: key.organizationId, usageId: null, ended: false, limit: 10 })).toEqual([]);
  });

  it('is replayed once, however many try at once', async () => {
    const row = rowOf(4);
    const key = await quarantine(rawOf(row), row.id);
    const tried = await Promise.allSettled(Array.from({ length: 4 }, () => replayQuarantined(money.control, key, by)));
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(tried.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code: string }).code] : []))).toEqual(Array.from({ length: 3 }, () => 'quarantine_ended'));
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '6', settled: '4' });
  });

  it('takes what there is, and the rest is our loss', async () => {
    const row = rowOf(14);
    const key = await quarantine(rawOf(row), row.id);
    expect(await replayQuarantined(money.control, key, by)).toEqual({ rows: 1, charged: '10' });
    await rateAll();
    expect(await posted()).toMatchObject({ grant_liability: '0', uncollected: '4', usage_revenue: '-14' });
  });

  it('costs nothing where no grant has anything', async () => {
    await money.newTenant();
    const row = rowOf(3);
    expect(await replayQuarantined(money.control, await quarantine(rawOf(row), row.id), by)).toEqual({ rows: 1, charged: '0' });
    await rateAll();
    expect(await posted()).toMatchObject({ uncollected: '3', usage_revenue: '-3' });
  });

  it('keeps its failed attempts, with what they cost', async () => {
    const row = rowOf(2, { attempt: 1 });
    const failed = rowOf(0, { id: row.id, attempt: 0, outcome: 'upstream_failed', counts: {} });
    expect(await replayQuarantined(money.control, await quarantine(rawOf(failed, row), row.id), by)).toEqual({ rows: 2, charged: '2' });
    await rateAll();
    expect(await posted()).toMatchObject({ grant_liability: '-8', vendor_cost: '1' });
  });

  it('is not replayed over usage that is there, and changes nothing', async () => {
    const row = rowOf(4);
    await money.settle(session, 1, { id: row.id, charge: 0, counts: {}, outcome: 'client_closed' });
    const key = await quarantine(rawOf(row), row.id);
    await expect(replayQuarantined(money.control, key, by)).rejects.toMatchObject({ code: 'quarantine_unfit' });
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '10', leased: '0' });
    await discardQuarantined(money.control, key, by);
    await expect(discardQuarantined(money.control, key, by)).rejects.toMatchObject({ code: 'quarantine_ended' });
    expect(await steps()).toEqual(['discarded']);
  });

  it.each<[string, (row: object) => string]>([
    ['no JSON', () => '{'],
    ['another request', (row) => rawOf({ ...row, id: '01890000-0000-7000-8000-000000000000' })],
    ['another organization', (row) => rawOf({ ...row, organization: '01890000-0000-7000-8000-000000000000' })],
    ['a count that is negative', (row) => rawOf({ ...row, counts: { input: -4 } })],
    ['a count beyond 2⁵³', (row) => rawOf({ ...row, counts: { input: 2 ** 53 } })],
    ['an amount that is a number', (row) => rawOf({ ...row, charge: 4 })],
    ['two charges', (row) => rawOf(row, { ...row, attempt: 1 })],
    ['nothing', () => ''],
  ])('is not repaired to %s', async (_name, damage) => {
    const row = rowOf(4);
    const key = await quarantine('x', row.id);
    await expect(repairQuarantined(money.control, key, damage(row), by)).rejects.toMatchObject({ code: 'quarantine_unfit' });
    expect(await steps()).toEqual([]);
  });

  it.each([
    ['what its price does not give', { rated: '5', charge: '5' }],
    ['less than was rated', { charge: '3' }],
  ])('is not replayed charging %s', async (_name, change) => {
    const row = rowOf(4, change);
    await expect(replayQuarantined(money.control, await quarantine(rawOf(row), row.id), by)).rejects.toMatchObject({ code: 'quarantine_unfit' });
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '10', leased: '0' });
  });
});

describe('use that was rated wrongly', () => {
  /** Charges 4 for what is worth `tokens`, and rates it: the rater puts it into quarantine. */
  const mischarge = async (tokens: number): Promise<QuarantineKey> => {
    const lease = (await money.take(session, { need: '10' })).leases[0]!;
    // No usage is older than the lease that it takes from.
    const id = money.mintId();
    await money.settle(session, 2, { id, charge: 4, counts: { input: tokens }, allocations: [{ lease: lease.leaseId, grant: lease.grantId, amount: '4' }] });
    await rateAll();
    await money.reap(session);
    return { organizationId: money.tenant.organizationId, usageId: id, attempt: 0, reason: 'rating_mismatch' };
  };

  it('too high is given back to the grant that paid, as an adjustment with a reason', async () => {
    const key = await mischarge(3);
    expect(await replayQuarantined(money.control, key, by)).toEqual({ rated: '-1', charge: '-1', receivable: '0' });
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '7', settled: '4' });
    expect(await posted()).toMatchObject({ grant_liability: '-7', usage_revenue: '-3' });
  });

  it('too low is taken from what grants have, and the rest is a receivable', async () => {
    const key = await mischarge(12);
    expect(await replayQuarantined(money.control, key, by)).toEqual({ rated: '8', charge: '8', receivable: '2' });
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '0' });
    expect(await posted()).toMatchObject({ grant_liability: '0', receivable: '2', usage_revenue: '-12' });
  });

  it('too high, of a grant that is over, becomes a new grant for thirty days', async () => {
    const key = await mischarge(1);
    await money.sql("SELECT grant_refund_against($1, $2, NULL, 'refund', 'test', NULL)", [key.organizationId, money.tenant.grantIds[0]]);
    await replayQuarantined(money.control, key, by);
    const [grant] = await money.sql<{ available: string; days: number }>(
      "SELECT trim_scale(available)::text AS available, round(extract(epoch FROM expires_at - kt_now()) / 86400)::int AS days FROM credit_grant WHERE organization_id = $1 AND id <> $2",
      [key.organizationId, money.tenant.grantIds[0]],
    );
    expect(grant).toEqual({ available: '3', days: 30 });
    expect(await posted()).toMatchObject({ grant_liability: '-3', usage_revenue: '-1' });
  });

  it('is adjusted once', async () => {
    const key = await mischarge(3);
    await Promise.allSettled([replayQuarantined(money.control, key, by), replayQuarantined(money.control, key, by)]);
    await money.sql("SELECT rating_adjust_unit($1, $2, 0::smallint, 'USD', 3, $3)", [key.organizationId, key.usageId, 'again']);
    expect(await money.sql('SELECT FROM rating_adjustment WHERE organization_id = $1', [key.organizationId])).toHaveLength(1);
  });
});
