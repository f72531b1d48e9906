import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Role, Viewer } from '@kilotoken/access';
import { listAuditEntries } from '@kilotoken/audit';
import { listGrants, type NewGrant } from '@kilotoken/ledger';
import { formatMoney } from '@kilotoken/money';
import { changeThrough, createControlPool, operatorSession, throughPg, type Actor, type ControlPool, type RawDb } from '@kilotoken/platform';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { cancelApproval, decideApproval, getApproval, listApprovals, mayDecide, requestOrDo } from './approval.flow.js';
import type { ApprovalKind, MoneyActs } from './approval.js';
import { setApprovalThreshold } from './threshold.flow.js';

let money: MoneyDatabase;
let pool: ControlPool;
let client: ControlClient;
let organizationId: string;
let grantId: string;
let references = 0;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const connectionString = serviceUrl(money.database.appUrl, 'control');
  pool = createControlPool({ kind: 'kt', id: 'root@host', name: null }, { connectionString, max: 16, applicationName: 'test', sessionOptions: operatorSession });
  client = createControlClient(connectionString, { kind: 'kt', id: 'root@host', name: null }, { applicationName: 'test' });
});
beforeEach(async () => {
  const tenant = await money.newTenant('5000');
  [organizationId, grantId] = [tenant.organizationId, tenant.grantIds[0]!];
});
afterEach(() => expectInvariants(money.database.ownerUrl));
afterAll(async () => {
  await Promise.all([client.$disconnect(), pool.end()]);
  await money.drop();
});

const person = (id: string): Actor => ({ kind: 'person', id, name: null });
const [ada, grace] = [person('ada'), person('grace')];
const token: Actor = { kind: 'token', id: 'token-1', name: null };
const viewerOf = ({ id, kind }: Actor, role: Role = 'finance'): Viewer => ({
  kind: kind as 'person' | 'token', id, permissions: null, impersonating: null, memberships: [{ organizationId: 'company', role, descendantIds: [] }],
});

/** One transaction in the name of somebody. */
const as = <Result>(actor: Actor, work: (db: RawDb) => Promise<Result>): Promise<Result> => changeThrough(Object.assign(Object.create(pool) as ControlPool, { actor }), organizationId, (db) => work(throughPg(db)));
const ask = <Kind extends ApprovalKind>(actor: Actor, kind: Kind, input: MoneyActs[Kind]) => as(actor, (db) => requestOrDo(db, kind, input));
const grantOf = (amount: string, change: Partial<NewGrant> = {}): NewGrant => ({ organizationId, unit: 'USD', amount, source: 'promotion', reference: `ref-${(references += 1)}`, ...change });
const pendingOf = async (outcome: ReturnType<typeof ask>) => {
  const answer = await outcome;
  if (answer.state !== 'awaits') throw new Error('it was done at once');
  return answer.approval;
};
const decide = (actor: Actor, id: string, approve = true, role: Role = 'finance') =>
  as(actor, (db) => decideApproval(db, viewerOf(actor, role), { organizationId, id, approve, reason: approve ? null : 'too much' }));
const grants = () => as(ada, (db) => listGrants(db, organizationId));

describe('an amount', () => {
  it('up to the threshold is done at once', async () => {
    expect(await ask(ada, 'grant.issue', grantOf('1000'))).toMatchObject({ state: 'done', result: { granted: 1_000n * 10n ** 12n } });
    expect(await as(ada, (db) => listApprovals(db, { organizationId }))).toEqual([]);
  });

  it.each([['a person', ada], ['a token', token]])('above it waits for a second person when %s asks, and nothing is granted meanwhile', async (_who, actor) => {
    const approval = await pendingOf(ask(actor, 'grant.issue', grantOf('1000.000000000001')));
    expect(approval).toMatchObject({ kind: 'grant.issue', status: 'pending', unit: 'USD', requestedBy: { kind: actor.kind, id: actor.id }, decidedBy: null, result: null });
    expect(formatMoney(approval.amount)).toBe('1000.000000000001');
    expect(approval.expiresAt.getTime() - approval.requestedAt.getTime()).toBe(14 * 86_400_000);
    expect(await grants()).toHaveLength(1);
  });

  it('of any size is done at once by kt, and audited as its own', async () => {
    expect(await ask({ kind: 'kt', id: 'root@host', name: null }, 'grant.issue', grantOf('1000000'))).toMatchObject({ state: 'done' });
    const [entry] = await as(ada, (db) => listAuditEntries(db, { organizationId }));
    expect(entry).toMatchObject({ actor: { kind: 'kt', id: 'root@host' }, objectType: 'credit_grant', after: { granted: 1_000_000 } });
  });

  it('is measured without its sign, in the unit of its grant, and a refund of the rest by all that remains', async () => {
    expect((await pendingOf(ask(ada, 'grant.adjust', { organizationId, grantId, amount: '-1500', reference: 'a', reason: 'r' }))).amount).toBe(1_500n * 10n ** 12n);
    expect((await pendingOf(ask(ada, 'grant.refund', { organizationId, grantId, reference: 'b', reason: 'r' }))).amount).toBe(5_000n * 10n ** 12n);
    expect(await ask(ada, 'grant.refund', { organizationId, grantId, amount: '1000', reference: 'c', reason: 'r' })).toMatchObject({ state: 'done' });
  });

  it('is compared with the threshold of its kind and unit, and needs approval where there is none', async () => {
    await setApprovalThreshold(client, { kind: 'grant.issue', unit: 'EUR', amount: '10' });
    expect(await ask(ada, 'grant.issue', grantOf('11', { unit: 'EUR' }))).toMatchObject({ state: 'awaits' });
    expect(await ask(ada, 'grant.issue', grantOf('11'))).toMatchObject({ state: 'done' });
    await setApprovalThreshold(client, { kind: 'grant.refund', unit: '*', amount: null });
    expect(await ask(ada, 'grant.refund', { organizationId, grantId, amount: '0.01', reference: 'd', reason: 'r' })).toMatchObject({ state: 'awaits' });
    await setApprovalThreshold(client, { kind: 'grant.refund', unit: '*', amount: '1000' });
    await expect(setApprovalThreshold(client, { kind: 'grant.refund', unit: 'EUR', amount: null })).rejects.toMatchObject({ code: 'threshold_not_found' });
    await expect(setApprovalThreshold(client, { kind: 'grant.refund', unit: 'EUR', amount: '-1' })).rejects.toMatchObject({ code: 'accounts_invalid' });
  });
});

describe('an approval that was asked for', () => {
  it('is one approval under its reference, however many ask at once', async () => {
    const grant = grantOf('2000');
    const asked = await Promise.all(Array.from({ length: 8 }, () => pendingOf(ask(ada, 'grant.issue', grant))));
    expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
    await expect(ask(ada, 'grant.issue', { ...grant, amount: '3000' })).rejects.toMatchObject({ code: 'approval_reference_used' });
  });

  it('is refused at once where the ledger would refuse it, and leaves nothing', async () => {
    await expect(ask(ada, 'grant.adjust', { organizationId, grantId, amount: '-5001', reference: 'x', reason: 'r' })).rejects.toMatchObject({ code: 'grant_below_floor' });
    await expect(ask(ada, 'grant.issue', grantOf('2000', { counterAccount: 'usage_revenue' }))).rejects.toMatchObject({ code: 'account_not_allowed' });
    await expect(ask(ada, 'grant.refund', { organizationId, grantId: money.mintId(), amount: '2000', reference: 'x', reason: 'r' })).rejects.toMatchObject({ code: 'grant_not_found' });
    await expect(ask(ada, 'grant.issue', grantOf('many'))).rejects.toMatchObject({ code: 'grant_invalid' });
    expect(await as(ada, (db) => listApprovals(db, { organizationId }))).toEqual([]);
  });

  it('is listed newest first, page by page, by its status', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.unshift((await pendingOf(ask(ada, 'grant.issue', grantOf('2000')))).id);
    await decide(grace, ids[0]!);
    await decide(grace, ids[1]!, false);
    const list = (search = {}) => as(ada, async (db) => (await listApprovals(db, { organizationId, ...search })).map(({ id }) => id));
    expect(await list()).toEqual(ids);
    expect(await list({ status: 'pending', limit: 2 })).toEqual(ids.slice(2, 4));
    expect(await list({ status: 'pending', limit: 2, after: ids[3] })).toEqual(ids.slice(4));
    expect(await list({ status: 'approved' })).toEqual([ids[0]]);
  });
});

describe('a decision', () => {
  it('does what was asked for, with its terms, in its own transaction', async () => {
    const expiresAt = new Date(Date.now() + 86_400_000);
    const { id } = await pendingOf(ask(ada, 'grant.issue', grantOf('2000', { expiresAt, scopeModels: ['mock'], priority: 7 })));
    const approval = await decide(grace, id);
    expect(approval).toMatchObject({ status: 'approved', decidedBy: { kind: 'person', id: 'grace' } });
    const issued = (await grants()).find((grant) => grant.id === approval.result!['grantId']);
    expect(issued).toMatchObject({ granted: 2_000n * 10n ** 12n, priority: 7, scopeModels: ['mock'], expiresAt });
    const entries = await as(ada, (db) => listAuditEntries(db, { organizationId, actorId: 'grace' }));
    expect(entries).toHaveLength(1);
  });

  it('adjusts, refunds and transfers as it issues', async () => {
    const child = (await money.newTenant()).organizationId;
    await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [organizationId, child]);
    const acts = [
      await pendingOf(ask(token, 'grant.adjust', { organizationId, grantId, amount: '1200', reference: 'adj', reason: 'r' })),
      await pendingOf(ask(token, 'grant.transfer', { organizationId, grantId, toOrganizationId: child, amount: '1300', reference: 'tra', reason: 'r' })),
      await pendingOf(ask(token, 'grant.refund', { organizationId, grantId, amount: '1400', reference: 'ref', reason: 'r' })),
    ];
    for (const { id } of acts) await decide(grace, id);
    expect((await grants()).map(({ available }) => formatMoney(available))).toEqual(['3500']);
  });

  it.each<[string, Actor, Role, string]>([
    ['is not the requester’s', ada, 'finance', 'approval_by_requester'],
    ['is not an admin’s own either', ada, 'admin', 'approval_by_requester'],
    ['is no token’s', token, 'admin', 'approval_needs_person'],
    ['is not for support', grace, 'support', 'approval_forbidden'],
    ['is not for a customer’s owner', grace, 'owner', 'approval_forbidden'],
  ])('%s', async (_name, actor, role, code) => {
    const { id } = await pendingOf(ask(ada, 'grant.issue', grantOf('2000')));
    await expect(decide(actor, id, true, role)).rejects.toMatchObject({ code });
    expect(await as(ada, (db) => getApproval(db, organizationId, id))).toMatchObject({ status: 'pending' });
    expect(await grants()).toHaveLength(1);
  });

  it('is not made by the person who made the token that asked', async () => {
    const [tokenId, maker] = [money.mintId(), money.mintId()];
    await money.sql("INSERT INTO person (id, name, email) VALUES ($1::uuid, 'Maker', $1::uuid || '@example.com')", [maker]);
    await money.sql("INSERT INTO service_token (organization_id, id, name, prefix, hash, role, created_by, expires_at) VALUES ($1, $2::uuid, 'ci', 'kst_abcd', sha256($2::uuid::text::bytea), 'viewer', $3, now() + interval '1 day')", [organizationId, tokenId, maker]);
    const { id } = await pendingOf(ask({ kind: 'token', id: tokenId, name: null }, 'grant.issue', grantOf('2000')));
    await expect(decide(person(maker), id)).rejects.toMatchObject({ code: 'approval_by_requester' });
    expect(await decide(grace, id)).toMatchObject({ status: 'approved' });
  });

  it('rejects with a reason, and does nothing', async () => {
    const { id } = await pendingOf(ask(ada, 'grant.issue', grantOf('2000')));
    await expect(as(grace, (db) => decideApproval(db, viewerOf(grace), { organizationId, id, approve: false }))).rejects.toMatchObject({ code: 'accounts_invalid' });
    expect(await decide(grace, id, false)).toMatchObject({ status: 'rejected', reason: 'too much', result: null });
    await expect(decide(grace, id)).rejects.toMatchObject({ code: 'approval_decided' });
    expect(await grants()).toHaveLength(1);
  });

  it('comes too late after 14 days', async () => {
    const { id } = await pendingOf(ask(ada, 'grant.issue', grantOf('2000')));
    await money.sql("UPDATE database_mark SET clock_shift = clock_shift + '14 days'");
    expect(await as(ada, (db) => listApprovals(db, { organizationId, status: 'expired' }))).toMatchObject([{ id }]);
    await expect(decide(grace, id)).rejects.toMatchObject({ code: 'approval_expired' });
    expect(await grants()).toHaveLength(1);
  });

  it('that the ledger refuses by now leaves the approval as it was', async () => {
    const { id } = await pendingOf(ask(ada, 'grant.adjust', { organizationId, grantId, amount: '-4000', reference: 'x', reason: 'r' }));
    await ask({ kind: 'kt', id: 'root@host', name: null }, 'grant.refund', { organizationId, grantId, amount: '2000', reference: 'y', reason: 'r' });
    await expect(decide(grace, id)).rejects.toMatchObject({ code: 'grant_below_floor' });
    expect(await as(ada, (db) => getApproval(db, organizationId, id))).toMatchObject({ status: 'pending' });
  });

  it('of another organization’s approval finds none', async () => {
    const { id } = await pendingOf(ask(ada, 'grant.issue', grantOf('2000')));
    organizationId = (await money.newTenant()).organizationId;
    await expect(decide(grace, id)).rejects.toMatchObject({ code: 'approval_not_found' });
  });

  it('may be made by those who see that they may', async () => {
    const approval = await pendingOf(ask(ada, 'grant.issue', grantOf('2000')));
    expect([viewerOf(ada), viewerOf(grace), viewerOf(grace, 'admin'), viewerOf(grace, 'support'), viewerOf(token)].map((viewer) => mayDecide(viewer, approval))).toEqual([false, true, true, false, false]);
  });
});

describe('a request', () => {
  it('is taken back by the one who asked, or by kt, and by nobody else', async () => {
    const cancel = (actor: Actor, id: string) => as(actor, (db) => cancelApproval(db, { organizationId, id }));
    const [first, second] = [await pendingOf(ask(ada, 'grant.issue', grantOf('2000'))), await pendingOf(ask(ada, 'grant.issue', grantOf('2000')))];
    await expect(cancel(grace, first.id)).rejects.toMatchObject({ code: 'approval_forbidden' });
    expect(await cancel(ada, first.id)).toMatchObject({ status: 'cancelled' });
    expect(await cancel({ kind: 'kt', id: 'root@host', name: null }, second.id)).toMatchObject({ status: 'cancelled', decidedBy: { kind: 'kt' } });
    await expect(decide(grace, first.id)).rejects.toMatchObject({ code: 'approval_decided' });
  });
});

describe('the table of approvals', () => {
  const run = (actor: Actor, sql: string, values: unknown[] = []) => sqlStateFrom(as(actor, (db) => db.$queryRaw([sql] as unknown as TemplateStringsArray, ...values)));

  it('refuses whoever writes past the flow', async () => {
    const { id } = await pendingOf(ask(ada, 'grant.issue', grantOf('2000')));
    const decision = (by: string, kind = 'person') => `UPDATE approval SET decision = 'approved', decided_by_kind = '${kind}', decided_by_id = '${by}', decided_at = kt_now(), result = '{}' WHERE id = '${id}'`;
    expect(await run(ada, decision('grace'))).toBe('KT061');
    expect(await run(ada, decision('ada'))).toBe('23514');
    expect(await run(token, decision('token-1', 'token'))).toBe('23514');
    expect(await run(ada, `UPDATE approval SET amount = 1 WHERE id = '${id}'`)).toBe('42501');
    expect(await run(ada, `DELETE FROM approval WHERE id = '${id}'`)).toBe('42501');
    expect(await run(ada, `INSERT INTO approval SELECT organization_id, uuidv7(), kind, 'other', payload, unit, amount, requested_by_kind, 'grace', requested_at, expires_at FROM approval WHERE id = '${id}'`)).toBe('KT061');
    await decide(grace, id);
    expect(await run(person('eve'), decision('eve'))).toBe('KT060');
  });
});
