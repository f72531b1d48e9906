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
