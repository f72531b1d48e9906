import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Viewer } from '@kilotoken/access';
import { listGrants } from '@kilotoken/ledger';
import { changeThrough, createControlPool, throughPg, type Actor, type ControlPool, type RawDb } from '@kilotoken/platform';
import fc from 'fast-check';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { cancelApproval, decideApproval, listApprovals, requestOrDo } from './approval.flow.js';

/** Several people ask, decide and take back at once: whatever comes first, each act happens once or never, and nobody approves their own. */
let money: MoneyDatabase;
let pool: ControlPool;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  pool = createControlPool({ kind: 'system', id: 'test', name: null }, { connectionString: serviceUrl(money.database.appUrl, 'control'), max: 16, applicationName: 'test' });
});
afterAll(async () => {
  await pool.end();
  await money.drop();
});

const people = ['ada', 'grace', 'edsger'] as const;
const expected = ['approval_by_requester', 'approval_decided', 'approval_forbidden', 'approval_reference_used'];
const viewerOf = (id: string): Viewer => ({ kind: 'person', id, permissions: null, impersonating: null, memberships: [{ organizationId: 'company', role: 'finance', descendantIds: [] }] });

const as = <Result>(id: string, organizationId: string, work: (db: RawDb) => Promise<Result>): Promise<Result> => {
  const actor: Actor = { kind: 'person', id, name: null };
  return changeThrough(Object.assign(Object.create(pool) as ControlPool, { actor }), organizationId, (db) => work(throughPg(db)));
};

const step = fc.record({ by: fc.constantFrom(...people), what: fc.constantFrom('approve', 'reject', 'cancel', 'ask again'), index: fc.nat({ max: 3 }) });

it('concurrent decisions: one wins, its act happens once, and no one approves their own', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...people), { minLength: 1, maxLength: 4 }), fc.array(step, { minLength: 4, maxLength: 16 }), async (askers, steps) => {
      const { organizationId } = await money.newTenant();
      const inputOf = (index: number) => ({ organizationId, unit: 'USD', amount: String(2_000 + index), source: 'promotion' as const, reference: `ref-${index}` });
      const ask = (by: string, index: number) => as(by, organizationId, (db) => requestOrDo(db, 'grant.issue', inputOf(index)));
      const asked = await Promise.all(askers.map(async (by, index) => {
        const outcome = await ask(by, index);
        if (outcome.state !== 'awaits') throw new Error('it was done at once');
        return outcome.approval;
      }));
      const outcomes = await Promise.allSettled(steps.map(({ by, what, index }) => {
        const { id } = asked[index % asked.length]!;
        if (what === 'ask again') return ask(by, index % asked.length);
        if (what === 'cancel') return as(by, organizationId, (db) => cancelApproval(db, { organizationId, id }));
        return as(by, organizationId, (db) => decideApproval(db, viewerOf(by), { organizationId, id, approve: what === 'approve', reason: 'r' }));
      }));
      for (const outcome of outcomes) if (outcome.status === 'rejected') expect(expected).toContain((outcome.reason as { code?: string }).code);

      const approvals = await as('ada', organizationId, (db) => listApprovals(db, { organizationId }));
      expect(approvals).toHaveLength(askers.length);
      const approved = approvals.filter(({ status }) => status === 'approved');
      for (const { decidedBy, requestedBy } of approved) expect(decidedBy).not.toEqual(requestedBy);
      const grants = await as('ada', organizationId, (db) => listGrants(db, organizationId));
      expect(grants.map(({ id, granted }) => [id, granted]).sort()).toEqual(approved.map(({ result, amount }) => [result!['grantId'], amount]).sort());
      const decisions = outcomes.filter(({ status }, index) => status === 'fulfilled' && steps[index]!.what !== 'ask again').length;
      expect(decisions).toBe(approvals.filter(({ decidedAt }) => decidedAt !== null).length);
    }),
    { numRuns: 25, seed: 20_261_128 },
  );
  await expectInvariants(money.database.ownerUrl);
});

/** Amounts of one actor in hours, some of them asked for twice at once. */
const asking = fc.record({ by: fc.constantFrom('ada', 'grace'), amount: fc.integer({ min: 1, max: 1_100 }), unit: fc.constantFrom('USD', 'USD', 'EUR'), hours: fc.nat({ max: 14 }), twice: fc.boolean() });

it('many small acts: what one actor does alone within 24 hours, of one unit and organization, is never above the threshold', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(asking, { minLength: 2, maxLength: 12 }), async (askings) => {
      const { organizationId } = await money.newTenant();
      const done: { by: string; unit: string; amount: number; atHours: number }[] = [];
      let atHours = 0;
      for (const [index, { by, amount, unit, hours, twice }] of askings.entries()) {
        atHours += hours;
        await money.shiftClock(`${atHours} hours`);
        const ask = (reference: string) => as(by, organizationId, (db) => requestOrDo(db, 'grant.issue', { organizationId, unit, amount: String(amount), source: 'promotion', reference }));
        const outcomes = await Promise.all([ask(`ref-${index}`), ...(twice ? [ask(`twin-${index}`)] : [])]);
        const before = done.filter((act) => act.by === by && act.unit === unit && act.atHours > atHours - 24).reduce((sum, act) => sum + act.amount, 0);
        const count = outcomes.filter(({ state }) => state === 'done').length;
        // As many as fit are done, and no more: the first where it fits, both where both do.
        expect(count).toBe(Math.min(outcomes.length, Math.floor((1_000 - before) / amount)));
        for (let act = 0; act < count; act += 1) done.push({ by, unit, amount, atHours });
      }
      // Somebody else's approval counts for neither of them.
      const waiting = (await as('edsger', organizationId, (db) => listApprovals(db, { organizationId, status: 'pending' })))[0];
      if (waiting) {
        await as('edsger', organizationId, (db) => decideApproval(db, viewerOf('edsger'), { organizationId, id: waiting.id, approve: true }));
        const next = await as('edsger', organizationId, (db) => requestOrDo(db, 'grant.issue', { organizationId, unit: waiting.unit, amount: '1000', source: 'promotion', reference: 'of-the-one-who-approved' }));
        expect(next.state).toBe('done');
      }
    }),
    { numRuns: 25, seed: 20_261_128 },
  );
  await money.shiftClock('0');
  await expectInvariants(money.database.ownerUrl);
});

it('an act that is sent again under its reference is the one that was done, and counts once', async () => {
  const { organizationId, grantIds: [grantId] } = await money.newTenant('5000');
  const issue = (amount: string, reference: string) => as('ada', organizationId, (db) => requestOrDo(db, 'grant.issue', { organizationId, unit: 'USD', amount, source: 'promotion', reference }));
  expect([(await issue('600', 'a')).state, (await issue('600', 'a')).state, (await issue('401', 'b')).state, (await issue('400', 'c')).state]).toEqual(['done', 'done', 'awaits', 'done']);
  const adjust = (amount: string, reference: string) => as('ada', organizationId, (db) => requestOrDo(db, 'grant.adjust', { organizationId, grantId: grantId!, amount, reference, reason: 'r' }));
  // Each kind has a sum of its own, and adjustments count without their sign.
  expect([(await adjust('-600', 'a')).state, (await adjust('401', 'b')).state, (await adjust('400', 'c')).state]).toEqual(['done', 'awaits', 'done']);
  const refund = (amount: string, reference: string) => as('ada', organizationId, (db) => requestOrDo(db, 'grant.refund', { organizationId, grantId: grantId!, amount, reference, reason: 'r' }));
  expect([(await refund('600', 'a')).state, (await refund('401', 'b')).state]).toEqual(['done', 'awaits']);
});
