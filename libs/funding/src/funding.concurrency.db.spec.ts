import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, type GrantedLease, type Usage } from '../../../test/support/money-database.js';
import { SeededRandom } from '../../../test/support/seeded-random.js';

/** Twenty connections that lease, checkpoint, settle and return at once, often twice, while sessions are reaped under them. */
const workers = 20;
const roundsPerWorker = 20;
const sessionsAlive = 4;
const grantsWorth = ['50', '30', '400'];
const runMsMax = 120_000;

let money: MoneyDatabase;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

interface Known {
  /** Charges that a settle was answered for. */
  settled: Map<string, number>;
  /** What the last checkpoint that was answered would have been billed. */
  checkpointed: Map<string, number>;
  refusals: Map<string, number>;
}

const allocate = (leases: readonly GrantedLease[], charge: number): Usage['allocations'] => {
  let left = charge;
  return leases.flatMap(({ leaseId, grantId, slice }) => {
    const part = Math.min(left, Number(slice));
    left -= part;
    return part > 0 ? [{ lease: leaseId, grant: grantId, amount: String(part) }] : [];
  });
};

class Load {
  readonly known: Known = { settled: new Map(), checkpointed: new Map(), refusals: new Map() };
  readonly sessions: string[] = [];
  private flushes = 0;

  async work(seed: number): Promise<void> {
    const random = new SeededRandom(seed);
    for (let round = 0; round < roundsPerWorker; round += 1) {
      const roll = random.below(20);
      if (roll === 0) await this.replaceSession(random);
      else if (roll === 1) await money.expireGrants();
      else await this.request(random, random.pick(this.sessions)).catch((error: { code?: string }) => this.refused(error));
    }
  }

  /** One request from its lease to its return; each statement once or twice at the same moment. */
  private async request(random: SeededRandom, session: string): Promise<void> {
    const twice = <Answer>(call: () => Promise<Answer>): Promise<Answer> => (random.chance(0.3) ? Promise.all([call(), call()]).then(([first]) => first) : call());
    const want = random.between(1, 20);
    const ask = { id: money.mintId(), need: String(want), least: String(random.between(1, want)), spare: random.chance(0.3) ? '100' : '0', firstUsageId: money.mintId() };
    const { leases } = await twice(() => money.take(session, ask));
    const held = leases.reduce((sum, { slice }) => sum + Math.floor(Number(slice)), 0);
    if (held === 0) return;
    const id = money.mintId();
    const rowOf = (charge: number, opened: boolean): Usage & { id: string } => ({ id, charge, hold: String(held), opened, allocations: allocate(leases, charge) });
    const isOpened = random.chance(0.4);
    if (isOpened) {
      const soFar = random.between(0, held);
      await twice(() => money.checkpoint(session, rowOf(soFar, true)));
      this.known.checkpointed.set(id, soFar);
      // Some die here: their reaper bills what they said last.
      if (random.chance(0.3)) return;
    }
    const charge = random.between(0, held);
    const flush = (this.flushes += 1);
    await twice(() => money.settle(session, flush, rowOf(charge, isOpened)));
    this.known.settled.set(id, charge);
    const spent = new Map(rowOf(charge, isOpened).allocations!.map(({ lease, amount }) => [lease, amount]));
    const returns = leases.map(({ leaseId }) => ({ lease: leaseId, keep: spent.get(leaseId) ?? '0', close: true }));
    await twice(() => money.giveBack(session, ...returns, ...(random.chance(0.2) ? returns : [])));
  }

  private async replaceSession(random: SeededRandom): Promise<void> {
    const session = random.pick(this.sessions);
    await Promise.all([money.reap(session), money.reap(session)]);
    const index = this.sessions.indexOf(session);
    if (index >= 0) this.sessions[index] = await money.newSession();
  }

  private refused({ code = 'a broken connection' }: { code?: string }): void {
    this.known.refusals.set(code, (this.known.refusals.get(code) ?? 0) + 1);
  }
}

it(
  'nothing is overspent, lost or billed twice, and nobody deadlocks',
  async () => {
    const { grantIds, organizationId } = await money.newTenant(...grantsWorth);
    const load = new Load();
    for (let index = 0; index < sessionsAlive; index += 1) load.sessions.push(await money.newSession());
    await Promise.all(Array.from({ length: workers }, (_, index) => load.work(index + 1)));
    await expectInvariants(money.database.ownerUrl);

    // A lost session is the one thing that a statement may be refused for.
    expect([...load.known.refusals.keys()].filter((code) => code !== 'KT001')).toEqual([]);
    for (const { id } of await money.sql<{ id: string }>('SELECT id FROM session WHERE reaped_at IS NULL')) await money.reap(id);
    await expectInvariants(money.database.ownerUrl);

    const usage = new Map((await money.sql<{ id: string; charge: string }>('SELECT id, trim_scale(charge)::text AS charge FROM usage WHERE organization_id = $1', [organizationId])).map(({ id, charge }) => [id, Number(charge)]));
    for (const [id, charge] of load.known.settled) expect([id, usage.get(id)]).toEqual([id, charge]);
    for (const [id] of load.known.checkpointed) expect([id, usage.has(id)]).toEqual([id, true]);
    const consumed = [...usage.values()].reduce((sum, charge) => sum + charge, 0);
    expect(consumed).toBeGreaterThan(100);
    const grants = await Promise.all(grantIds.map((id) => money.grant(id)));
    expect(grants.map(({ leased }) => leased)).toEqual(['0', '0', '0']);
    expect(grants.reduce((sum, { available, settled }) => sum + Number(available) + Number(settled), 0)).toBe(480);
    expect(grants.reduce((sum, { settled }) => sum + Number(settled), 0)).toBe(consumed);
  },
  runMsMax,
);

it('of many that want the last of a grant, each gets what is there or nothing, and together no more than there was', async () => {
  const { grantIds } = await money.newTenant('100');
  const sessions = await Promise.all(Array.from({ length: 4 }, () => money.newSession()));
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => money.take(sessions[index % sessions.length]!, { need: '3' })));
  const taken = answers.flatMap(({ leases }) => leases).map(({ slice }) => slice);
  expect(taken).toEqual(Array.from({ length: 33 }, () => '3'));
  expect(await money.grant(grantIds[0]!)).toMatchObject({ available: '1', leased: '99' });
});
