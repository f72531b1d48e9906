import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { MoneyDatabase, type Usage } from '../../../test/support/money-database.js';
import { SeededRandom } from '../../../test/support/seeded-random.js';
import { mutations } from '../../../test/support/simulated-mutations.js';
import { SimulatedDatabase, SqlError, type SimulatedLease, type UsageRow } from '../../../test/support/simulated-database.js';

/**
 * The database of the interleavings and Postgres get the same calls and must answer the same, refusals included, and end in
 * the same state: what is proven with the one holds for the other.
 */
const seeds = [1, 2, 3, 4, 5, 6];
const stepsPerSeed = 200;
const comparisonMsMax = 60_000;
const hourMs = 3_600_000;
const half = parseMoney('0.5');
const units = ['USD', 'qwen-pack'];

let money: MoneyDatabase;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  await money.declarePackUnit('qwen-pack');
});
afterAll(() => money.drop());

const amount = (value: bigint): string => formatMoney(value);

interface Settled {
  sessionId: string;
  flush: number;
  rows: UsageRow[];
}

/** Draws calls, makes each on both sides, and compares. */
class Pair {
  readonly simulated: SimulatedDatabase;
  private readonly random: SeededRandom;
  private readonly sessions: string[] = [];
  private readonly asks: { sessionId: string; unit: string; id: string; model: string; need: bigint; least: bigint; spare: bigint; firstUsageId: string }[] = [];
  private readonly settled: Settled[] = [];
  /** Of Postgres, by the simulated one's id. */
  private readonly leaseIds = new Map<string, string>();
  private flushes = 0;
  private grants = 0;
  organizationId = '';

  constructor(seed: number, Database = SimulatedDatabase) {
    this.random = new SeededRandom(seed);
    this.simulated = new Database(0);
  }

  async start(): Promise<void> {
    // Grants of the seed before this one would be counted when they expire.
    await money.shiftClock('1000 hours');
    await money.expireGrants();
    await money.shiftClock('0');
    this.organizationId = (await money.newTenant()).organizationId;
    for (let index = 0; index < 3; index += 1) await this.startSession();
    for (let index = 0; index < 3; index += 1) await this.issue();
  }

  async step(): Promise<void> {
    const roll = this.random.next();
    if (roll < 0.28) await this.take();
    else if (roll < 0.5) await this.giveBack();
    else if (roll < 0.75) await this.settle();
    else if (roll < 0.87) await this.checkpoint();
    else if (roll < 0.91) await this.quarantine();
    else if (roll < 0.94) await this.issue();
    else if (roll < 0.97) await this.passTime();
    else await this.reap();
  }

  private async startSession(): Promise<void> {
    const sessionId = await money.newSession();
    this.simulated.startSession(sessionId);
    this.sessions.push(sessionId);
  }

  private async issue(): Promise<void> {
    const priority = this.random.between(1, 2);
    const models = this.random.pick([null, null, ['mock'], ['other']]);
    const hours = this.random.pick([null, 1, 3]);
    const unit = this.random.pick(units);
    const granted = BigInt(this.random.between(1, 60)) * half;
    const id = money.mintId();
    this.grants += 1;
    await money.sql("SELECT grant_issue_against($1, $2::uuid, $8, $3, $4, $2::text, $5::smallint, $6, NULL, kt_now() + make_interval(hours => $7), NULL)", [
      this.organizationId, id, amount(granted), 'prepaid', priority, models, hours, unit,
    ]);
    const { nowMs } = this.simulated;
    const rank = { priority, expiresAtMs: hours === null ? null : nowMs + hours * hourMs + this.grants, promotional: false, effectiveAtMs: nowMs, createdAtMs: this.grants };
    this.simulated.issueGrant({ organizationId: this.organizationId, id, unit, models, granted, rank });
  }

  private async take(): Promise<void> {
    const again = this.asks.length > 0 && this.random.chance(0.3);
    const need = BigInt(this.random.between(0, 40)) * half;
    const ask = again
      ? this.random.pick(this.random.chance(0.5) ? this.asks : this.asks.slice(-6))
      : {
          sessionId: this.random.pick(this.sessions),
          unit: this.random.pick(units),
          id: money.mintId(),
          model: this.random.pick(['mock', 'other']),
          need,
          least: this.random.chance(0.5) ? need : need / 3n,
          spare: BigInt(this.random.pick([0, 0, 10, 500])) * half,
          firstUsageId: money.mintId(),
        };
    this.asks.push(ask);
    // Its first execution comes late, or never.
    if (!again && this.random.chance(0.2)) return;
    const { sessionId, unit, id, model, firstUsageId } = ask;
    const sent = { id, unit, model, need: amount(ask.need), least: amount(ask.least), spare: amount(ask.spare), firstUsageId };
    const [answer, expected] = await this.both(`take ${JSON.stringify(sent)}`, () => money.take(sessionId, sent), () => this.simulated.takeLeases(sessionId, this.organizationId, unit, ask));
    if (!answer || !expected) return;
    expect({ available: answer.available, leased: answer.leased, leases: answer.leases.map(({ grantId, slice, models }) => ({ grantId, slice, models })) }).toEqual({
      available: amount(expected.available),
      leased: amount(expected.leased),
      leases: expected.leases.map(({ grantId, slice, models }) => ({ grantId, slice: amount(slice), models })),
    });
    for (const [index, { leaseId }] of expected.leases.entries()) this.leaseIds.set(leaseId, answer.leases[index]!.leaseId);
  }

  private async giveBack(): Promise<void> {
    const known = [...this.simulated.leases.values()].filter(({ id }) => this.leaseIds.has(id));
    if (known.length === 0) return;
    const first = this.random.pick(known);
    const sessionId = this.random.chance(0.9) ? first.sessionId : this.random.pick(this.sessions);
    const rows = [first, ...(this.random.chance(0.4) ? [this.random.pick(known)] : []), ...(this.random.chance(0.2) ? [first] : [])].map((lease) => this.drawReturn(lease));
    const sent = rows.map(({ leaseId, keep, close }) => ({ lease: this.leaseIds.get(leaseId)!, keep: amount(keep), close }));
    const [changed, expected] = await this.both(`give back ${JSON.stringify(sent)}`, () => money.giveBack(sessionId, ...sent), () => this.simulated.returnLeases(sessionId, rows));
    expect(changed).toBe(expected);
  }

  /** What usage took of a lease, and what the reaper would bill to it. */
  private neededOf(leaseId: string): bigint {
    const open = [...this.simulated.openRequests.values()].flatMap(({ settlement }) => settlement.flatMap(({ allocations }) => allocations));
    return open.reduce((sum, part) => (part.leaseId === leaseId ? sum + part.amount : sum), this.simulated.spentOfLease.get(leaseId) ?? 0n);
  }

  /** A gateway never gives back what it has spent or holds. */
  private drawReturn(lease: SimulatedLease): { organizationId: string; leaseId: string; keep: bigint; close: boolean } {
    const spent = this.simulated.spentOfLease.get(lease.id) ?? 0n;
    const needed = this.neededOf(lease.id);
    const close = needed === spent && this.random.chance(0.3);
    const between = needed + ((lease.slice - needed) * BigInt(this.random.between(0, 4))) / 4n;
    const keep = this.random.chance(0.15) ? lease.slice + half : close ? spent : between;
    return { organizationId: this.organizationId, leaseId: lease.id, keep, close };
  }

  private drawRow(sessionId: string): UsageRow {
    const mine = this.simulated.openLeases((lease) => lease.sessionId === sessionId && this.leaseIds.has(lease.id));
    const lease = mine.length > 0 ? this.random.pick(mine) : null;
    const left = lease ? (lease.slice - this.neededOf(lease.id)) / 4n : 0n;
    const charge = this.random.chance(0.8) ? left : 0n;
    const poison = this.random.chance(0.1);
    const unit = lease ? this.simulated.grants.get(lease.grantId)!.unit : 'USD';
    return {
      organizationId: this.organizationId,
      id: money.mintId(),
      attempt: 0,
      counts: { input: 1, output: 0 },
      charges: [{ unit, hold: poison ? charge - 1n : charge + half, charge }],
      allocations: charge > 0n && lease ? [{ leaseId: lease.id, grantId: lease.grantId, unit, amount: charge }] : [],
      opened: this.random.chance(0.5),
    };
  }

  private async settle(): Promise<void> {
    const again = this.settled.length > 0 && this.random.chance(0.3) ? this.random.pick(this.settled) : null;
    const sessionId = again && this.random.chance(0.9) ? again.sessionId : this.random.pick(this.sessions);
    const flush = again && this.random.chance(0.8) ? again.flush : (this.flushes += 1);
    const open = [...this.simulated.openRequests.values()].filter((row) => row.sessionId === sessionId).flatMap(({ settlement }) => settlement.map((row) => ({ ...row, opened: true })));
    const fresh = again ? [] : [this.drawRow(sessionId), ...(open.length > 0 && this.random.chance(0.6) ? [this.random.pick(open)] : [])];
    const rows = [...(again?.rows ?? []), ...fresh];
    const [written, expected] = await this.both(`settle ${flush}`, () => money.settle(sessionId, flush, ...rows.map((row) => this.toUsage(row))), () => this.simulated.settle(sessionId, BigInt(flush), rows));
    expect(written).toBe(expected);
    this.settled.push({ sessionId, flush, rows });
  }

  private async checkpoint(): Promise<void> {
    const sessionId = this.random.pick(this.sessions);
    const known = [...this.simulated.openRequests.values(), ...this.simulated.usage.values(), ...this.simulated.quarantine.values()];
    const drawn = this.drawRow(sessionId);
    const row = known.length > 0 && this.random.chance(0.4) ? { ...drawn, id: this.random.pick(known).id } : drawn;
    const usage = this.toUsage(row);
    const [written, expected] = await this.both(`checkpoint ${row.id}`, () => money.checkpoint(sessionId, usage), () => this.simulated.checkpoint(sessionId, [{ organizationId: row.organizationId, id: row.id, settlement: [row] }]));
    expect(written).toBe(expected);
  }

  private async quarantine(): Promise<void> {
    const sessionId = this.random.pick(this.sessions);
    const open = [...this.simulated.openRequests.values()];
    const row = open.length > 0 && this.random.chance(0.7) ? this.random.pick(open) : this.drawRow(sessionId);
    await this.both(`quarantine ${row.id}`, () => money.quarantine(sessionId, row.id, 'settle:23514'), () => this.simulated.quarantineSettlement(sessionId, row, 'settle:23514'));
  }

  private async passTime(): Promise<void> {
    this.simulated.nowMs += 0.7 * hourMs;
    await money.shiftClock(`${this.simulated.nowMs} milliseconds`);
    const [expired, expected] = await this.both('expire', () => money.expireGrants(), () => this.simulated.expireGrants());
    expect(expired).toBe(expected);
  }

  private async reap(): Promise<void> {
    const sessionId = this.random.pick(this.sessions);
    const [reaped, expected] = await this.both(`reap ${sessionId}`, () => money.reap(sessionId), () => this.simulated.reap(sessionId));
    expect(reaped).toEqual(expected);
    if (this.random.chance(0.8)) this.sessions.splice(this.sessions.indexOf(sessionId), 1);
    await this.startSession();
  }

  private toUsage(row: UsageRow): Usage & { id: string } {
    const { id, charges, allocations, opened } = row;
    const { hold, charge } = charges[0]!;
    const paid = allocations.map(({ leaseId, grantId, amount: part }) => ({ lease: this.leaseIds.get(leaseId)!, grant: grantId, amount: amount(part) }));
    return { id, hold: amount(hold), charge: amount(charge), counts: { input: 1 }, allocations: paid, opened };
  }

  /** Both answers, or both refusals of the same kind. */
  private async both<Real, Simulated>(what: string, real: () => Promise<Real>, simulated: () => Simulated): Promise<[Real?, Simulated?]> {
    let expected: { value: Simulated } | { sqlState: string };
    try {
      expected = { value: simulated() };
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      expected = { sqlState: error.sqlState };
    }
    const answered = await real().then(
      (value) => ({ value }),
      (error: { code?: string }) => ({ sqlState: error.code }),
    );
    const refusals = [answered, expected].map((outcome) => ('sqlState' in outcome ? outcome.sqlState : 'answered'));
    expect([what, refusals[0]]).toEqual([what, refusals[1]]);
    seen.set(`${what.split(' ')[0]} ${refusals[0]}`, (seen.get(`${what.split(' ')[0]} ${refusals[0]}`) ?? 0) + 1);
    return ['value' in answered ? answered.value : undefined, 'value' in expected ? expected.value : undefined];
  }

  async compareStates(): Promise<void> {
    const { organizationId, simulated } = this;
    const byText = (a: string, b: string): number => (a < b ? -1 : 1);
    const rowsOf = async (sql: string): Promise<string[]> => (await money.sql<{ row: string }>(sql, [organizationId])).map(({ row }) => row).sort(byText);
    const text = (...parts: unknown[]): string => parts.map((part) => (typeof part === 'bigint' ? amount(part) : String(part))).join(' ');

    expect(await rowsOf("SELECT concat_ws(' ', id, trim_scale(available), trim_scale(leased), trim_scale(settled), trim_scale(expired)) AS row FROM credit_grant WHERE organization_id = $1")).toEqual(
      [...simulated.grants.values()].map(({ id, available, leased, settled, expired }) => text(id, available, leased, settled, expired)).sort(byText),
    );
    expect(await rowsOf("SELECT concat_ws(' ', id, trim_scale(slice), coalesce(trim_scale(settled)::text, 'null'), closed_at IS NOT NULL, recalled_at IS NOT NULL) AS row FROM lease WHERE organization_id = $1")).toEqual(
      [...simulated.leases.values()].map(({ id, slice, settled, isClosed, isRecalled }) => text(this.leaseIds.get(id), slice, settled, isClosed ? 't' : 'f', isRecalled ? 't' : 'f')).sort(byText),
    );
    expect(await rowsOf("SELECT concat_ws(' ', id, session_id, greatest(flush, -1), trim_scale(charge)) AS row FROM usage WHERE organization_id = $1")).toEqual(
      [...simulated.usage.values()].map(({ id, sessionId, flush, charges }) => `${id} ${sessionId} ${flush < 0n ? -1n : flush} ${amount(charges[0]!.charge)}`).sort(byText),
    );
    expect(await rowsOf("SELECT concat_ws(' ', id, session_id, settlement -> 0 ->> 'charge') AS row FROM open_request WHERE organization_id = $1")).toEqual(
      [...simulated.openRequests.values()].map(({ id, sessionId, settlement }) => text(id, sessionId, settlement[0]!.charges[0]!.charge)).sort(byText),
    );
    expect(await rowsOf('SELECT DISTINCT id::text AS row FROM usage_quarantine WHERE organization_id = $1')).toEqual([...new Set([...simulated.quarantine.values()].map(({ id }) => id))].sort(byText));
    expect(await rowsOf("SELECT concat_ws('/', session_id, flush, cardinality(usage_ids)) AS row FROM unrated_batch WHERE $1 = ANY (organization_ids) AND flush >= 0")).toEqual(
      [...simulated.unrated].map(([key, rows]) => [key.split('/').slice(0, 2).join('/'), rows] as const).filter(([key]) => !key.includes('/-')).map(([key, rows]) => `${key}/${rows}`).sort(byText),
    );
  }
}

const seen = new Map<string, number>();

const compare = async (seed: number, Database?: typeof SimulatedDatabase): Promise<void> => {
  const pair = new Pair(seed, Database);
  await pair.start();
  for (let step = 0; step < stepsPerSeed; step += 1) {
    await pair.step();
    if (step % 10 === 0) await pair.compareStates();
  }
  await pair.compareStates();
};

it.each(seeds)('the simulated database answers as Postgres does: seed %s', (seed) => compare(seed), comparisonMsMax);

it('and every kind of answer and refusal was among them', () => {
  const kinds = ['take answered', 'take KT001', 'give answered', 'give 23514', 'give KT001', 'settle answered', 'settle 23514', 'settle KT002', 'settle KT001', 'checkpoint answered', 'checkpoint KT001', 'quarantine answered', 'expire answered', 'reap answered'];
  expect(kinds.filter((kind) => !seen.has(kind))).toEqual([]);
});

it.each([
  'a database without the fence',
  'an ask that takes again when it is executed again',
  'a refused ask that takes when it is executed late',
  'a late checkpoint that opens a settled request',
  'a refused ask that is remembered for another unit',
])('and a difference is noticed: %s', async (name) => {
  const noticed: unknown[] = [];
  for (const seed of seeds) if (noticed.length === 0) await compare(seed, mutations[name]!.Database).catch((error: unknown) => noticed.push(error));
  expect(noticed).toHaveLength(1);
}, comparisonMsMax);
