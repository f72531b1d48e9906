import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { systemClock } from '@kilotoken/platform';
import { pino } from 'pino';
import type { SeedGrant } from '../../../test/support/cluster-seed.js';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { until } from '../../../test/support/until.js';
import type { FundingRequest } from './funding.js';
import { HoldingService } from './holding.service.js';
import { LeaseService } from './lease.service.js';
import type { Holding, UnitRequest } from './legs.js';
import { SessionService } from './session.service.js';

/** Requests that packs and money may pay, between a gateway and Postgres. */
const silent = pino({ level: 'silent' });
const waitMsMax = 10_000;
const floor = { floorWaitMs: 10_000, floorWaiters: 10, idleLeaseMs: 60_000, idleLeaseNearFloorMs: 60_000, askAgainMs: 50, sweptPerTickMax: 1_000 };
const pack = (amount: string): SeedGrant => ({ amount, unit: 'qwen-pack' });

let money: MoneyDatabase;
let session: SessionService;
let leases: LeaseService;
let holdings: HoldingService;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  await money.declarePackUnit('qwen-pack');
});
beforeEach(async () => {
  const databaseUrl = money.database.appUrl;
  session = new SessionService({ databaseUrl, beatMs: 200, sessionTtlMs: 5_000, pollMs: 50, snapshotAgeMsMax: 5_000, release: 'test' }, systemClock, silent);
  leases = new LeaseService({ databaseUrl, ...floor }, session, systemClock, silent);
  holdings = new HoldingService(floor, leases, session);
  await session.start();
});
afterEach(async () => {
  await Promise.allSettled([leases.stop(), session.stop()]);
  await money.reap(session.id);
  await expectInvariants(money.database.ownerUrl, { quarantineExpected: false });
});
afterAll(() => money.drop());

const unit = (name: string, want: string, { least = want, covers = true } = {}): UnitRequest => ({ unit: name, want: parseMoney(want), least: parseMoney(least), covers });
const anyOf = (...units: [UnitRequest, ...UnitRequest[]]): FundingRequest => ({ id: money.mintId(), organizationId: money.tenant.organizationId, model: 'mock', units });
const dollars = (want: string): FundingRequest => anyOf(unit('USD', want));

/** In burn order. */
const shown = ({ units, runs }: Holding): string[] => runs.map(({ of, amount }) => `${formatMoney(amount)} ${units[of]!.unit}`);
const held = (): string[] => [...leases.heldByGrant(money.tenant.organizationId)].map(([id, amount]) => `${money.tenant.grantIds.indexOf(id)}: ${formatMoney(amount)}`).sort();

/** The grants once everything has come back. */
const returned = async (): Promise<string[]> => {
  await leases.returnAll(systemClock.monotonicMs() + waitMsMax);
  const grants = await Promise.all(money.tenant.grantIds.map((id) => money.grant(id)));
  return grants.map(({ available, leased }) => `${available} available, ${leased} leased`);
};

describe('a request that a pack and money may pay', () => {
  it("holds the pack's remainder and the whole worst case in money", async () => {
    await money.newTenant(pack('40'), '100');
    const holding = await holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')));
    expect(shown(holding)).toEqual(['40 qwen-pack', '7 USD']);
    expect(held()).toEqual(['0: 40', '1: 7']);
    holdings.release(money.tenant.organizationId, holding);
    expect(held()).toEqual(['0: 0', '1: 0']);
    expect(await returned()).toEqual(['40 available, 0 leased', '100 available, 0 leased']);
  });

  it('holds the pack alone where it covers the request, and money goes back at once', async () => {
    await money.newTenant(pack('400'), '100');
    expect(shown(await holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7'))))).toEqual(['90 qwen-pack']);
    expect(held()).toEqual(['0: 90', '1: 0']);
  });

  it('holds grants in their burn order, also where those of one unit lie apart', async () => {
    await money.newTenant('3', pack('40'), '100');
    const holding = await holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')));
    expect(shown(holding)).toEqual(['3 USD', '40 qwen-pack', '4 USD']);
    expect(held()).toEqual(['0: 3', '1: 40', '2: 4']);
  });

  it('is held at once where the leases of this process cover it', async () => {
    await money.newTenant(pack('4000'), '100');
    const request = (): FundingRequest => anyOf(unit('qwen-pack', '9'), unit('USD', '7'));
    await holdings.hold(request());
    expect(holdings.hold(request())).not.toBeInstanceOf(Promise);
  });

  it('ends in money where the pack covers only some classes', async () => {
    await money.newTenant(pack('400'), '100');
    expect(shown(await holdings.hold(anyOf(unit('qwen-pack', '90', { covers: false }), unit('USD', '7'))))).toEqual(['90 qwen-pack', '7 USD']);
  });

  it('takes a shorter answer where no unit covers the longest', async () => {
    await money.newTenant(pack('40'), '5');
    expect(shown(await holdings.hold(anyOf(unit('qwen-pack', '90', { least: '60' }), unit('USD', '7', { least: '4' }))))).toEqual(['40 qwen-pack', '5 USD']);
  });
});

describe('a request that nothing covers', () => {
  it('is refused for good, and nothing stays held', async () => {
    await money.newTenant(pack('40'), '3');
    await expect(holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')))).rejects.toMatchObject({ code: 'insufficient_quota' });
    expect(held()).toEqual(['0: 0', '1: 0']);
    expect(await returned()).toEqual(['40 available, 0 leased', '3 available, 0 leased']);
  });

  it('is not refused on what the grants had before a top-up', async () => {
    await money.newTenant();
    const request = (): FundingRequest => anyOf(unit('qwen-pack', '90'), unit('USD', '7'));
    await expect(holdings.hold(request())).rejects.toMatchObject({ code: 'insufficient_quota' });
    await money.issue('100');
    expect(shown(await holdings.hold(request()))).toEqual(['7 USD']);
  });

  it('is funded once what others hold has come back, and refused as held where it does not', async () => {
    await money.newTenant(pack('40'), '10');
    const other = await holdings.hold(dollars('6'));
    const waiting = holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')));
    await until('it has been tried', () => leases.heldByGrant(money.tenant.organizationId).get(money.tenant.grantIds[0]!) === 0n);
    holdings.release(money.tenant.organizationId, other);
    expect(shown(await waiting)).toEqual(['40 qwen-pack', '7 USD']);
    const impatient = new HoldingService({ ...floor, floorWaitMs: 0 }, leases, session);
    await expect(impatient.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')))).rejects.toMatchObject({ code: 'balance_held' });
    expect(held()).toEqual(['0: 40', '1: 7']);
  });
});

describe('while a request waits for several units', () => {
  it('its client may leave: nothing stays held', async () => {
    await money.newTenant(pack('40'), '10');
    await holdings.hold(dollars('6'));
    const request = anyOf(unit('qwen-pack', '90'), unit('USD', '7'));
    const waiting = holdings.hold(request);
    holdings.cancel(request);
    await expect(waiting).rejects.toMatchObject({ code: 'balance_held' });
    await until('its pack is free', () => held().join() === '0: 0,1: 6');
  });

  it('a lease that a younger request takes knows of it, so that the reaper counts its usage', async () => {
    await money.newTenant('10');
    await holdings.hold(dollars('6'));
    const old = anyOf(unit('qwen-pack', '90'), unit('USD', '7'));
    const waiting = holdings.hold(old);
    const otherId = await money.issue({ amount: '40', unit: 'EUR' });
    await holdings.hold(anyOf(unit('EUR', '9')));
    const firstUsage = async (grantId: string): Promise<unknown> => money.sql('SELECT first_usage_id AS id FROM lease WHERE grant_id = $1', [grantId]);
    expect(await firstUsage(otherId)).toEqual([{ id: old.id }]);
    holdings.cancel(old);
    await expect(waiting).rejects.toMatchObject({ code: 'balance_held' });
    const laterId = await money.issue({ amount: '4000', unit: 'EUR' });
    const young = anyOf(unit('EUR', '200'));
    await holdings.hold(young);
    expect(await firstUsage(laterId)).toEqual([{ id: young.id }]);
  });

  it('the session may end: it is told so, and so is who comes later', async () => {
    await money.newTenant(pack('40'), '10');
    await holdings.hold(dollars('6'));
    const waiting = holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')));
    await money.reap(session.id);
    await expect(waiting).rejects.toMatchObject({ code: 'service_unavailable' });
    expect(() => holdings.hold(anyOf(unit('qwen-pack', '90'), unit('USD', '7')))).toThrow(expect.objectContaining({ code: 'service_unavailable' }));
  });
});
