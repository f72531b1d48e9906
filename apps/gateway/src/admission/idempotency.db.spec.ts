import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { expectInvariants } from '../../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom } from '../../../../test/support/money-database.js';
import { refuseClaim, type ClaimAnswer } from './idempotency.js';
import { bindClaim, claimKey, releaseClaim, type ClaimId } from './idempotency.store.js';

/** Claims as the gateway makes them, against the money functions of a real database. */

const keepMs = 86_400_000;
const unboundMs = 60_000;
const body = randomBytes(32);
const taken = { claimed: true };

let money: MoneyDatabase;
let session: string;
let flush = 0;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  await money.newTenant('100');
  session = await money.newSession();
});
afterAll(async () => {
  await expectInvariants(money.database.ownerUrl, { quarantineExpected: true });
  await money.drop();
});

const idOf = (of: Partial<ClaimId> = {}): ClaimId => ({ sessionId: session, organizationId: money.tenant.organizationId, key: 'key', claimId: randomUUID(), ...of });
const claim = (id = idOf(), bodyHash = body): Promise<ClaimAnswer> => claimKey(money.app, id, { bodyHash, keepMs, unboundMs });
const passTime = (interval: string) => money.sql('UPDATE idempotency_claim SET claimed_at = claimed_at - $1::interval, expires_at = expires_at - $1::interval', [interval]);

/** A claim that its request has bound. */
const bound = async (): Promise<{ id: ClaimId; requestId: string }> => {
  const id = idOf();
  expect(await claim(id)).toEqual(taken);
  const requestId = money.mintId();
  expect(await bindClaim(money.app, id, requestId)).toBe(true);
  return { id, requestId };
};

/** What a request's lease paid, as its session settles it. */
const settle = async (requestId: string, { charge, outcome, opened = false }: { charge: number; outcome: string; opened?: boolean }): Promise<void> => {
  await money.settle(session, (flush += 1), { id: requestId, charge, outcome, allocations: await paidFrom(requestId, charge), opened });
};
const paidFrom = async (firstUsageId: string, charge: number) => {
  if (charge === 0) return [];
  const [lease] = (await money.take(session, { need: '10', firstUsageId })).leases;
  return [{ lease: lease!.leaseId, grant: lease!.grantId, amount: String(charge) }];
};

describe('an organization that has claimed as many keys today as it may', () => {
  const keysMax = 3;
  const setMax = (most: number) => money.sql(`CREATE OR REPLACE FUNCTION idempotency_keys_max() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT ${most}::bigint'`);
  beforeEach(() => setMax(keysMax));
  afterEach(() => setMax(500_000));
  const claimNew = () => claim(idOf({ key: randomUUID() }));

  it('claims no other one, and is answered for those that it has; others go on', async () => {
    for (let count = 0; count < keysMax; count += 1) expect(await claim(idOf({ key: `key-${count}` }))).toEqual(taken);
    const refused = await claimNew();
    expect(refused).toMatchObject({ claimed: false, full: true });
    expect(refuseClaim(refused as Exclude<ClaimAnswer, { claimed: true }>)).toMatchObject({ code: 'rate_limit_exceeded', headers: { 'x-should-retry': 'false' } });
    expect(await claim(idOf({ key: 'key-0' }))).toMatchObject({ claimed: false, sameBody: true, status: 'running' });
    await money.newTenant('100');
    expect(await claimNew()).toEqual(taken);
  });

  it('is not charged with keys that it was given back', async () => {
    for (let count = 0; count < 3 * keysMax; count += 1) {
      const id = idOf({ key: `key-${count}` });
      expect(await claim(id)).toEqual(taken);
      await releaseClaim(money.app, id);
    }
  });

  it('may claim as many tomorrow', async () => {
    for (let count = 0; count < keysMax; count += 1) await claimNew();
    await money.shiftClock('1 day');
    expect(await claimNew()).toEqual(taken);
    await money.shiftClock('0');
  });
});

describe('a key', () => {
  it('is claimed once, however many ask for it at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => claim()));
    expect(answers.filter(({ claimed }) => claimed)).toHaveLength(1);
    expect(answers.filter((answer) => !answer.claimed && answer.sameBody && answer.status === 'running')).toHaveLength(19);
  });

  it('is claimed by a statement that is executed again as by the first', async () => {
    const id = idOf();
    expect([await claim(id), await claim(id)]).toEqual([taken, taken]);
    expect(await claim()).toMatchObject({ claimed: false });
  });

  it("of another organization is another's", async () => {
    expect(await claim()).toEqual(taken);
    await money.newTenant('100');
    expect(await claim()).toEqual(taken);
  });

  it('of another body is told apart', async () => {
    const { requestId } = await bound();
    expect(await claim(idOf(), randomBytes(32))).toMatchObject({ claimed: false, sameBody: false });
    expect(await claim()).toEqual({ claimed: false, sameBody: true, requestId, status: 'running', charge: null, unit: null });
  });

  it('is free again when it was released, for any body', async () => {
    const id = idOf();
    await claim(id);
    await releaseClaim(money.app, id);
    expect(await claim(idOf(), randomBytes(32))).toEqual(taken);
    // A release that arrives late finds nothing of its own.
    await releaseClaim(money.app, id);
    expect(await claim()).toMatchObject({ claimed: false });
  });

  it('names the charge of what was completed, also for nothing', async () => {
    const paid = await bound();
    await settle(paid.requestId, { charge: 3, outcome: 'completed' });
    expect(await claim()).toMatchObject({ claimed: false, requestId: paid.requestId, status: 'completed', charge: '3.000000000000', unit: 'USD' });
    await money.newTenant('100');
    const free = await bound();
    await settle(free.requestId, { charge: 0, outcome: 'completed' });
    expect(await claim()).toMatchObject({ claimed: false, requestId: free.requestId, status: 'completed', charge: '0.000000000000' });
  });

  it.each([
    ['failed at its vendor', 'upstream_failed'],
    ['was left by its client before anything was charged', 'client_closed'],
  ])('is free again when its request %s', async (_, outcome) => {
    const { requestId } = await bound();
    await settle(requestId, { charge: 0, outcome });
    expect(await claim()).toEqual(taken);
  });

  it('keeps an interrupted request that was charged', async () => {
    const { requestId } = await bound();
    await settle(requestId, { charge: 2, outcome: 'interrupted' });
    expect(await claim()).toMatchObject({ claimed: false, requestId, status: 'failed', charge: '2.000000000000' });
  });

  it('keeps what is in quarantine, which a repair may charge', async () => {
    const { requestId } = await bound();
    await money.quarantine(session, requestId, 'settle:22P02');
    expect(await claim()).toMatchObject({ claimed: false, requestId, status: 'failed', charge: null });
    await money.reap(session);
    session = await money.newSession();
    expect(await claim()).toMatchObject({ claimed: false, requestId, status: 'failed', charge: null });
  });

  it('is free when it has expired, and its row is deleted', async () => {
    const { requestId } = await bound();
    await settle(requestId, { charge: 1, outcome: 'completed' });
    await passTime('86399 seconds');
    expect(await claim()).toMatchObject({ claimed: false });
    await passTime('2 seconds');
    expect(await claim()).toEqual(taken);
    await passTime('2 days');
    const { rows } = await money.app.query<{ deleted: number }>('SELECT idempotency_expire(1000) AS deleted');
    expect(rows[0]!.deleted).toBeGreaterThan(0);
    expect(await money.sql('SELECT 1 FROM idempotency_claim WHERE organization_id = $1', [money.tenant.organizationId])).toEqual([]);
  });
});

describe('a claim that was never bound', () => {
  it('is over after a while, and its request can then no longer be dispatched', async () => {
    const late = idOf();
    await claim(late);
    await passTime('59 seconds');
    expect(await claim()).toMatchObject({ claimed: false, requestId: null, status: 'running' });
    await passTime('2 seconds');
    expect(await claim()).toEqual(taken);
    expect(await bindClaim(money.app, late, money.mintId())).toBe(false);
  });

  it('is over when its session was reaped', async () => {
    await claim();
    await money.reap(session);
    session = await money.newSession();
    expect(await claim()).toEqual(taken);
  });
});

describe('a dead session', () => {
  it('leaves free what was dispatched and never billed', async () => {
    await bound();
    const alive = await money.newSession();
    expect(await claim(idOf({ sessionId: alive }))).toMatchObject({ claimed: false, status: 'running' });
    await money.reap(session);
    expect(await claim(idOf({ sessionId: alive }))).toEqual(taken);
  });

  it('leaves what its reaper billed with its charge', async () => {
    const { requestId } = await bound();
    await money.checkpoint(session, { id: requestId, charge: 4, outcome: 'interrupted', allocations: await paidFrom(requestId, 4) });
    await money.reap(session);
    session = await money.newSession();
    expect(await claim()).toMatchObject({ claimed: false, requestId, status: 'failed', charge: '4.000000000000' });
  });

  it('can neither claim, bind nor release any more', async () => {
    const { id } = await bound();
    await money.reap(session);
    expect(await sqlStateFrom(claim())).toBe('KT001');
    expect(await sqlStateFrom(bindClaim(money.app, id, money.mintId()))).toBe('KT001');
    expect(await sqlStateFrom(releaseClaim(money.app, id))).toBe('KT001');
  });
});
