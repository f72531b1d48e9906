import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import { AppError } from '@kilotoken/platform';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import fc from 'fast-check';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { verifyChains } from './chain.flow.js';
import { adjustGrant, refundGrant, transferGrant } from './grant-change.flow.js';
import { issueGrant } from './grant-issue.flow.js';
import { listBalances } from './ledger.store.js';

/**
 * Random changes of the grants of a parent and a child organization, several at once, beside gateways that lease, use and return. In any
 * order every digit is somewhere: the test adds up the answers that the callers got, not the columns that the database keeps.
 */
let money: MoneyDatabase;
let prisma: PrismaClient;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createPrisma(money.database.ownerUrl, { applicationName: 'test', connectionsMax: 8 });
});
afterAll(async () => {
  await prisma.$disconnect();
  await money.drop();
});

const actions = ['lease', 'return', 'use', 'refund', 'refund-rest', 'add', 'take', 'transfer', 'issue', 'close'] as const;
const step = fc.record({ action: fc.constantFrom(...actions), amount: fc.bigInt({ min: 1n, max: parseMoney('6') }), pick: fc.nat(1_000) });
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const workers = 6;
/** Refusals that are right, depending on the order in which things happen. */
const expected = new Set(['grant_below_floor', 'grant_closed', 'grant_reference_used', 'organizations_not_related']);

interface Grant {
  readonly id: string;
  readonly organizationId: string;
}
interface HeldLease {
  readonly session: string;
  readonly lease: string;
  readonly grant: string;
  readonly organization: string;
  readonly slice: Money;
}

class Run {
  readonly grants: Grant[] = [];
  private readonly leases: HeldLease[] = [];
  private flush = 0;
  /** Issued and added less taken and used, as the callers were told; refunds are read at the end. */
  put = 0n;
  readonly refundReferences: { grant: Grant; amount: string | null; reference: string }[] = [];

  constructor(private readonly organizations: readonly [string, string], private readonly sessions: readonly string[]) {}

  async take({ action, amount, pick }: Step, index: number): Promise<void> {
    const grant = this.grants[pick % this.grants.length]!;
    const change = { organizationId: grant.organizationId, grantId: grant.id, reason: 'test', reference: `${action}-${index}`, amount: formatMoney(amount) };
    const other = this.organizations.find((id) => id !== grant.organizationId)!;
    if (action === 'lease') await this.lease(grant.organizationId, formatMoney(amount), pick);
    if (action === 'return') await this.giveBack(false, index);
    if (action === 'use') await this.giveBack(true, index);
    if (action === 'refund' || action === 'refund-rest') {
      const request = { ...change, amount: action === 'refund' ? change.amount : null };
      await refundGrant(prisma, request);
      this.refundReferences.push({ grant, amount: request.amount, reference: request.reference });
    }
    if (action === 'add') await adjustGrant(prisma, change).then(() => (this.put += amount));
    if (action === 'take') await adjustGrant(prisma, { ...change, amount: `-${change.amount}` }).then(() => (this.put -= amount));
    if (action === 'transfer') {
      const { toGrantId } = await transferGrant(prisma, { ...change, toOrganizationId: other });
      this.grants.push({ id: toGrantId, organizationId: other });
    }
    if (action === 'issue') await this.issue(grant.organizationId, amount, index);
    if (action === 'close') await money.app.query('SELECT grants_close(100)');
  }

  async issue(organizationId: string, amount: Money, index: number): Promise<void> {
    const terms = { organizationId, unit: 'USD', amount: formatMoney(amount), source: 'package' as const, reference: `issue-${index}` };
    const { id } = await prisma.$transaction((db) => issueGrant(db, terms));
    this.grants.push({ id, organizationId });
    this.put += amount;
  }

  private async lease(organization: string, need: string, pick: number): Promise<void> {
    const session = this.sessions[pick % this.sessions.length]!;
    const { rows } = await money.app.query<{ answer: { leases: { leaseId: string; grantId: string; slice: string }[] } }>(
      'SELECT lease_take($1, $2, uuidv7(), $3, $4, $5, $5, 0, uuidv7()) AS answer', [session, organization, 'USD', 'mock', need],
    );
    for (const { leaseId, grantId, slice } of rows[0]!.answer.leases) this.leases.push({ session, lease: leaseId, grant: grantId, organization, slice: parseMoney(slice) });
  }

  /** Closes a lease, with half of it used or nothing. */
  private async giveBack(isUsed: boolean, index: number): Promise<void> {
    const held = this.leases.splice(index % Math.max(1, this.leases.length), 1)[0];
    if (!held) return;
    const used = isUsed ? formatMoney(held.slice / 2n) : '0';
    if (isUsed && used !== '0') {
      this.flush += 1;
      // Seven tokens are worth 7; the hold caps their charge.
      const usage = money.usageRow({ organization: held.organization, charge: used, hold: used, rated: '7', counts: { input: 7 }, allocations: [{ lease: held.lease, grant: held.grant, amount: used }] });
      await money.app.query('SELECT settle($1, $2, $3)', [held.session, this.flush, JSON.stringify([{ ...usage, root: this.organizations[0] }])]);
      this.put -= parseMoney(used);
    }
    await money.giveBack(held.session, { lease: held.lease, keep: used, close: true, organization: held.organization });
  }
}

const runSteps = async (run: Run, steps: readonly Step[]): Promise<void> => {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < steps.length) {
      const index = (next += 1) - 1;
      try {
        await run.take(steps[index]!, index);
      } catch (error) {
        if (!(error instanceof AppError && expected.has(error.code))) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
};

test('concurrent changes lose no digit: each is available, leased, used or refunded', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 90 }), async (steps) => {
      const child = (await money.newTenant()).organizationId;
      const parent = (await money.newTenant()).organizationId;
      await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [parent, child]);
      const sessions = [await money.newSession(), await money.newSession()];
      const run = new Run([parent, child], sessions);
      for (const [index, organization] of [parent, child, parent].entries()) await run.issue(organization, parseMoney('10'), 1_000 + index);
      await runSteps(run, steps);
      await expectInvariants(money.database.ownerUrl);

      // The gateways die: leases come back, and every refund that waited ends.
      for (const session of sessions) await money.reap(session);
      await money.app.query('SELECT grants_close(1000)');
      let refunded = 0n;
      for (const { grant, amount, reference } of run.refundReferences) {
        const refund = await refundGrant(prisma, { organizationId: grant.organizationId, grantId: grant.id, amount, reference, reason: 'test' });
        expect(refund.hasEnded).toBe(true);
        if (refund.asked !== null) expect(refund.refunded <= refund.asked).toBe(true);
        refunded += refund.refunded;
      }
      const [{ left }] = (await money.sql<{ left: string }>('SELECT coalesce(sum(available + leased), 0)::text AS left FROM credit_grant WHERE organization_id = ANY ($1)', [[parent, child]])) as [{ left: string }];
      expect(formatMoney(parseMoney(left))).toBe(formatMoney(run.put - refunded));
      const owed = (await Promise.all([parent, child].map((id) => listBalances(prisma, id)))).flat().filter(({ account }) => account === 'transfer_clearing');
      expect(owed.reduce((sum, { balance }) => sum + balance, 0n)).toBe(0n);
      await expectInvariants(money.database.ownerUrl);
      expect((await verifyChains(prisma)).breaks).toEqual([]);
    }),
    { numRuns: 6, endOnFailure: true },
  );
}, 240_000);
