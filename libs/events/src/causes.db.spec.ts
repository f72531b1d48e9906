import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventCatalogue, type EventName } from '@kilotoken/contracts';
import { openLog } from '@kilotoken/platform/process';
import { EventsDatabase } from '../../../test/support/events-database.js';
import { BalanceWatchService, getNoticeSettings, setNotices } from './notice.service.js';

let events: EventsDatabase;
let watch: BalanceWatchService;
beforeAll(async () => {
  events = await EventsDatabase.create();
  const { logger } = await openLog({ name: 'test', level: 'silent' });
  watch = new BalanceWatchService(events.money.app, logger, 10);
});
afterAll(() => events.drop());

/** The organization's events in their order, each parsed by its kind's schema. */
const eventsOf = async (organizationId: string): Promise<[string, Record<string, unknown>][]> =>
  (await events.events(organizationId)).map(({ kind, payload }) => [kind, eventCatalogue[kind as EventName].data.strict().parse(payload)]);

/** Spends from the tenant's grants, each to its end before the next, and closes the leases, which nothing is left of. */
const spend = async (amount: string): Promise<void> => {
  const { money } = events;
  const session = await money.newSession();
  const { leases } = await money.take(session, { need: amount });
  const allocations = leases.map(({ leaseId, grantId, slice }) => ({ lease: leaseId, grant: grantId, amount: slice }));
  await money.settle(session, 1, { charge: amount, counts: { input: 1 }, allocations });
  await money.giveBack(session, ...leases.map(({ leaseId, slice }) => ({ lease: leaseId, keep: slice, close: true })));
};

describe('events of grants', () => {
  it('a grant puts one event when it is issued and one when it is spent to its last digit', async () => {
    const { organizationId, grantIds } = await events.money.newTenant('10');
    expect(await eventsOf(organizationId)).toContainEqual(['grant.issued', expect.objectContaining({ grant_id: grantIds[0], unit: 'USD', amount: '10', expires_at: null })]);
    await events.forget();
    await spend('4');
    expect(await eventsOf(organizationId)).toEqual([]);
    await spend('6');
    expect(await eventsOf(organizationId)).toEqual([['grant.exhausted', expect.objectContaining({ grant_id: grantIds[0], amount: '10' })]]);
  });

  it('a grant that expires puts an event with the amount, and another for the amount that running requests return later', async () => {
    const { organizationId } = await events.money.newTenant({ amount: '10', expiresInMs: 3_600_000 });
    await events.forget();
    const session = await events.money.newSession();
    const [lease] = (await events.money.take(session, { need: '3' })).leases;
    await events.money.shiftClock('2 hours');
    await events.money.expireGrants();
    await events.money.giveBack(session, { lease: lease!.leaseId, keep: '0', close: true });
    await events.money.shiftClock('0');
    const amounts = (await eventsOf(organizationId)).map(([kind, { amount }]) => [kind, amount]);
    expect(amounts).toEqual([['grant.expired', '7'], ['grant.expired', '3']]);
  });
});

describe('notices of a low balance', () => {
  const checkAll = async (): Promise<void> => {
    while (await watch.checkOnce());
  };
  const lows = async (organizationId: string) => (await eventsOf(organizationId)).filter(([kind]) => kind === 'grant.low').map(([, data]) => data);

  it('each fall of a balance below its threshold is one event, however often and by however many processes it is checked', async () => {
    const organizationId = await events.newTenant('10');
    await setNotices(events.money.owner, { organizationId, balanceLow: { unit: 'USD', threshold: '5' } });
    await checkAll();
    expect(await lows(organizationId)).toEqual([]);
    await spend('5');
    await checkAll();
    expect(await lows(organizationId)).toEqual([]);
    await spend('0.5');
    await Promise.all([checkAll(), checkAll(), checkAll()]);
    expect(await lows(organizationId)).toEqual([{ unit: 'USD', balance: '4.5', threshold: '5' }]);

    await events.money.issue('10');
    await checkAll();
    await spend('12');
    await checkAll();
    expect(await lows(organizationId)).toHaveLength(2);
    expect(await getNoticeSettings(events.money.owner, organizationId)).toMatchObject({ thresholds: [{ unit: 'USD', threshold: '5', isLow: true }] });
  });

  it('a balance counts the unused part of what gateways hold, and not the used part', async () => {
    const organizationId = await events.newTenant('10');
    await setNotices(events.money.owner, { organizationId, balanceLow: { unit: 'USD', threshold: '5' } });
    const session = await events.money.newSession();
    const [lease] = (await events.money.take(session, { need: '9' })).leases;
    await checkAll();
    expect(await lows(organizationId)).toEqual([]);
    await events.money.settle(session, 1, { charge: '6', counts: { input: 1 }, allocations: [{ lease: lease!.leaseId, grant: lease!.grantId, amount: '6' }] });
    await checkAll();
    expect(await lows(organizationId)).toEqual([{ unit: 'USD', balance: '4', threshold: '5' }]);
  });

  it('a new threshold puts a new event, also after the old one was removed; a threshold of another unit does not count', async () => {
    const organizationId = await events.newTenant('10');
    const set = (threshold: string | null, unit = 'USD') => setNotices(events.money.owner, { organizationId, balanceLow: { unit, threshold } });
    await set('20');
    await checkAll();
    await set(null);
    await checkAll();
    await set('20');
    await checkAll();
    await set('30');
    await checkAll();
    expect((await lows(organizationId)).map(({ threshold }) => threshold)).toEqual(['20', '20', '30']);
    await set('1', 'EUR');
    await checkAll();
    expect(await lows(organizationId)).toHaveLength(4);
  });
});
