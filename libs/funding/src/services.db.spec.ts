import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import { systemClock } from '@kilotoken/platform';
import { pino } from 'pino';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, type Usage } from '../../../test/support/money-database.js';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.js';
import { until } from '../../../test/support/until.js';
import { allocate, type Hold } from './lease.js';
import { LeaseService, type LeaseSettings } from './lease.service.js';
import { SessionService } from './session.service.js';
import { SettlementService, type Settlement } from './settlement.service.js';

/** The services between a gateway's requests and Postgres, over wires that break. */
const silent = pino({ level: 'silent' });
const waitMsMax = 10_000;

let money: MoneyDatabase;
let proxy: TcpProxy;
let gateway: Gateway;
let quarantineExpected = false;

interface Gateway {
  session: SessionService;
  leases: LeaseService;
  settlement: SettlementService;
}

const startGateway = async (limits: Partial<LeaseSettings> = {}, settleWaitMs = waitMsMax): Promise<Gateway> => {
  const databaseUrl = proxy.through(money.database.appUrl);
  const session = new SessionService({ databaseUrl, beatMs: 200, sessionTtlMs: 5_000, pollMs: 50, snapshotAgeMsMax: 5_000, release: 'test' }, systemClock, silent);
  const floor = { floorWaitMs: 4_000, floorWaiters: 10, idleLeaseMs: 60_000, idleLeaseNearFloorMs: 60_000, askAgainMs: 50, sweptPerTickMax: 1_000, ...limits };
  const leases = new LeaseService({ databaseUrl, ...floor }, session, systemClock, silent);
  const settlement = new SettlementService(
    { databaseUrl, entriesMax: 100, bytesMax: 1_000_000, pendingSettlesMax: 100, settleWaitMs, failpoint: () => undefined },
    session, systemClock, silent,
  );
  await session.start();
  return { session, leases, settlement };
};

const stopGateway = async ({ session, leases, settlement }: Gateway): Promise<void> => {
  await Promise.allSettled([leases.stop(), settlement.stop(), session.stop()]);
};

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const { hostname, port } = new URL(money.database.appUrl);
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
});
beforeEach(async () => {
  quarantineExpected = false;
  await money.newTenant('100');
  gateway = await startGateway();
});
afterEach(async () => {
  proxy.heal();
  await stopGateway(gateway);
  await money.reap(gateway.session.id);
  await expectInvariants(money.database.ownerUrl, { quarantineExpected });
  await money.sql('TRUNCATE usage_quarantine');
});
afterAll(async () => {
  await proxy.close();
  await money.drop();
});

const funds = () => ({ organizationId: money.tenant.organizationId, unit: 'USD' });
const hold = async (want: string, least = want): Promise<Hold> => gateway.leases.hold(funds(), { id: money.mintId(), model: 'mock', want: parseMoney(want), least: parseMoney(least) });
const grant = () => money.grant(money.tenant.grantIds[0]!);

/** Settles a hold's request as a gateway does: the hold is released when the charge is committed. */
const settle = (held: Hold, charge: Money, more: Partial<Usage> = {}): Promise<void> => {
  const allocations = allocate(held, charge).map(({ leaseId, grantId, amount }) => ({ lease: leaseId, grant: grantId, amount: formatMoney(amount) }));
  const row = money.usageRow({ id: held.id, charge: formatMoney(charge), hold: formatMoney(held.total), allocations, ...more });
  const settlement: Settlement = {
    organizationId: funds().organizationId,
    usageId: held.id,
    attempt: 0,
    json: JSON.stringify(row),
    onCommitted: () => gateway.leases.release(funds(), held, charge),
    onQuarantined: () => gateway.leases.release(funds(), held, 0n),
  };
  return gateway.settlement.settle(settlement);
};

describe('a hold', () => {
  it('comes from a lease, is charged, and what is left goes back at the end', async () => {
    const held = await hold('10');
    expect(gateway.leases.heldByGrant(funds().organizationId).get(money.tenant.grantIds[0]!)).toBe(parseMoney('10'));
    await settle(held, parseMoney('3'));
    expect(formatMoney(gateway.leases.balance(funds())!)).toBe('97');
    await gateway.leases.returnAll(systemClock.monotonicMs() + waitMsMax);
    expect(await grant()).toEqual({ available: '97', leased: '0', settled: '3', expired: '0' });
  });

  it('that nothing can ever cover is refused at once, one that others hold after a wait', async () => {
    await expect(hold('101')).rejects.toMatchObject({ code: 'insufficient_quota' });
    await hold('60');
    await expect(hold('50')).rejects.toMatchObject({ code: 'balance_held' });
  });

  it('of a client that left is not taken', async () => {
    await hold('100');
    const id = money.mintId();
    const waiting = gateway.leases.hold(funds(), { id, model: 'mock', want: parseMoney('1'), least: parseMoney('1') });
    gateway.leases.cancel(funds(), id);
    await expect(waiting).rejects.toMatchObject({ code: 'balance_held' });
  });

  it('whose answer was lost is asked for again, under the same id: it is leased once', async () => {
    const struck = proxy.cut({ direction: 'toClient', pattern: '"leases"', trigger: 'swallow', how: 'reset' });
    const held = await hold('10');
    await struck;
    expect(held.total).toBe(parseMoney('10'));
    const { leased } = await grant();
    expect((await money.sql('SELECT FROM lease WHERE session_id = $1', [gateway.session.id])).length).toBe(1);
    expect(Number(leased)).toBeGreaterThanOrEqual(10);
    gateway.leases.release(funds(), held, 0n);
  });
});

describe('what is idle', () => {
  it('goes back of every organization, also when a tick cannot look at all of them', async () => {
    await stopGateway(gateway);
    await money.reap(gateway.session.id);
    gateway = await startGateway({ idleLeaseMs: 100, idleLeaseNearFloorMs: 100, sweptPerTickMax: 1 });
    const organizations: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      await money.newTenant('100');
      organizations.push(funds().organizationId);
      gateway.leases.release(funds(), await hold('10'), 0n);
    }
    await until('all leases are closed', async () => {
      const [open] = await money.sql<{ count: string }>('SELECT count(*) FROM lease WHERE organization_id = ANY ($1) AND closed_at IS NULL', [organizations]);
      return Number(open!.count) === 0;
    });
  });
});

describe('a settlement', () => {
  it('whose answer was lost is executed again, and charged once', async () => {
    const held = await hold('10');
    const struck = proxy.cut({ direction: 'toClient', pattern: 'written', trigger: 'swallow', how: 'reset' });
    await settle(held, parseMoney('4'));
    await struck;
    expect(await money.sql('SELECT trim_scale(charge)::text AS charge FROM usage WHERE session_id = $1', [gateway.session.id])).toEqual([{ charge: '4' }]);
  });

  it('that Postgres refuses is kept in quarantine, its hold returns, and those with it are charged', async () => {
    quarantineExpected = true;
    const holds = [await hold('10'), await hold('10'), await hold('10')];
    const ends = await Promise.allSettled(holds.map((held, index) => settle(held, parseMoney('4'), index === 1 ? { rated: '1' } : {})));
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(ends[1]).toMatchObject({ reason: { code: 'settlement_failed' } });
    expect(await money.sql('SELECT id FROM usage_quarantine')).toEqual([{ id: holds[1]!.id }]);
    expect(formatMoney(gateway.leases.balance(funds())!)).toBe('92');
  });

  it('that takes too long is told so, and is charged all the same', async () => {
    await stopGateway(gateway);
    await money.reap(gateway.session.id);
    gateway = await startGateway({}, 100);
    const held = await hold('10');
    const locking = await money.owner.connect();
    try {
      await locking.query('BEGIN');
      await locking.query('LOCK TABLE usage');
      await expect(settle(held, parseMoney('4'))).rejects.toMatchObject({ code: 'settlement_failed', details: { reason: 'timed out' } });
      expect(gateway.settlement.unsettled()).toBe(1);
    } finally {
      await locking.query('COMMIT');
      locking.release();
    }
    await until('it is settled', () => gateway.settlement.unsettled() === 0);
    expect(await money.sql('SELECT trim_scale(charge)::text AS charge FROM usage WHERE session_id = $1', [gateway.session.id])).toEqual([{ charge: '4' }]);
    expect(formatMoney(gateway.leases.balance(funds())!)).toBe('96');
  });

  it('of a session that was reaped charges nobody, and ends the session: who waits is told', async () => {
    const held = await hold('90');
    const waiting = hold('50');
    waiting.catch(() => undefined);
    await money.reap(gateway.session.id);
    await expect(settle(held, parseMoney('4'))).rejects.toMatchObject({ code: 'settlement_failed' });
    await expect(waiting).rejects.toMatchObject({ code: 'service_unavailable' });
    expect(gateway.session.isEnded()).toBe(true);
    await expect(settle(held, parseMoney('4'))).rejects.toMatchObject({ code: 'settlement_failed' });
    await expect(hold('1')).rejects.toMatchObject({ code: 'service_unavailable' });
    expect(await money.sql('SELECT FROM usage WHERE session_id = $1', [gateway.session.id])).toEqual([]);
  });
});

describe('a drain', () => {
  it('waits for a return that is under way, and lets the process go on meanwhile', async () => {
    gateway.leases.release(funds(), await hold('10'), 0n);
    const locking = await money.owner.connect();
    await locking.query('BEGIN');
    await locking.query('SELECT FROM credit_grant WHERE id = $1 FOR UPDATE', [money.tenant.grantIds[0]]);
    let isBack = false;
    const draining = [0, 1].map(() => gateway.leases.returnAll(systemClock.monotonicMs() + waitMsMax).then(() => (isBack = true)));
    await until('the return waits', async () => (await money.sql("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%lease_return%'")).length > 0);
    expect(isBack).toBe(false);
    await locking.query('COMMIT');
    locking.release();
    await Promise.all(draining);
    expect(await grant()).toEqual({ available: '100', leased: '0', settled: '0', expired: '0' });
  });

  it('tries again while Postgres is away, until its deadline', async () => {
    gateway.leases.release(funds(), await hold('10'), 0n);
    proxy.refuse(true);
    proxy.resetAll();
    const draining = gateway.leases.returnAll(systemClock.monotonicMs() + waitMsMax);
    await until('it has been tried', () => proxy.connections() === 0);
    proxy.heal();
    await draining;
    expect((await grant()).leased).toBe('0');
    // One that has no time left ends at once.
    await hold('10');
    await gateway.leases.returnAll(systemClock.monotonicMs());
  });
});
