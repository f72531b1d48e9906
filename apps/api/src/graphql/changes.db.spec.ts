import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Viewer } from '@kilotoken/access';
import { ApiWorld, idOf } from '../../../../test/support/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.create();
});
afterAll(async () => {
  await world.drop();
});

type Result = { __typename: string } & Record<string, unknown>;

const run = async (viewer: Viewer, name: string, input: object, selection: string): Promise<Result> => {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const answer = await world.api.query(viewer, `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on Problem { message } ... on InvalidInput { fields { path } } ... on Conflict { code } ${selection} } }`, { input });
  expect(answer['errors']).toBeUndefined();
  return (answer['data'] as Record<string, Result>)[name]!;
};

const entriesOf = async (organizationId: string) => {
  const owner = world.person(organizationId === world.organizations.own.id ? 'owner' : 'admin');
  const answer = await world.api.query(owner, 'query ($id: ID!) { organization(id: $id) { auditLog(first: 10) { nodes { action objectType objectId actor { kind id name } ip requestId } } } }', { id: idOf('Organization', organizationId, organizationId) });
  return (answer['data'] as { organization: { auditLog: { nodes: Record<string, unknown>[] } } }).organization.auditLog.nodes;
};

describe('a mutation', () => {
  it('is done once under a key, and answers the same again, the secret included', async () => {
    const input = { projectId: world.organizations.own.projectId, name: 'once', idempotencyKey: randomUUID() };
    const selection = '... on CreatedApiKey { secret apiKey { id } }';
    const [one, other] = await Promise.all([run(world.person('owner'), 'createApiKey', input, selection), run(world.person('owner'), 'createApiKey', input, selection)]);
    const again = await run(world.person('owner'), 'createApiKey', input, selection);
    expect(one).toMatchObject({ __typename: 'CreatedApiKey', secret: expect.stringMatching(/^kt_/) });
    expect([other, again]).toEqual([one, one]);
    expect(await run(world.person('owner'), 'createApiKey', { ...input, name: 'another' }, selection)).toMatchObject({ __typename: 'Conflict', code: 'idempotency_key_used' });
    const [stored] = await world.usage.money.sql<{ answer: string }>('SELECT answer FROM idempotent_mutation WHERE key = $1', [input.idempotencyKey]);
    expect(stored!.answer).not.toContain(String(one['secret']));
  });

  it('that is refused leaves its key free', async () => {
    const idempotencyKey = randomUUID();
    const { globalId } = world.organizations.own;
    expect(await run(world.person('owner'), 'createProject', { organizationId: globalId, name: '', idempotencyKey }, '')).toMatchObject({ __typename: 'InvalidInput', fields: [{ path: 'name' }] });
    expect(await run(world.person('owner'), 'createProject', { organizationId: globalId, name: 'free', idempotencyKey }, '... on Project { name }')).toMatchObject({ __typename: 'Project', name: 'free' });
  });

  it('stands in the audit log with its actor, address and request', async () => {
    const { own } = world.organizations;
    await run(world.person('owner'), 'createProject', { organizationId: own.globalId, name: 'audited' }, '');
    expect((await entriesOf(own.id))[0]).toMatchObject({ action: 'createProject', objectType: 'project', actor: { kind: 'person', id: own.personId, name: `person ${own.marker}` }, ip: '127.0.0.1', requestId: expect.any(String) });
  });
});

describe('a key', () => {
  it('is made, narrowed, rolled and revoked, never widened', async () => {
    const { own } = world.organizations;
    const owner = world.person('developer');
    const made = (await run(owner, 'createApiKey', { projectId: own.projectId, name: 'a key', allowedModels: ['mock', 'other'] }, '... on CreatedApiKey { apiKey { id allowedModels } }'))['apiKey'] as { id: string };
    expect(await run(owner, 'updateApiKey', { id: made.id, name: 'narrow', allowedModels: ['mock'] }, '... on ApiKey { name allowedModels }')).toMatchObject({ name: 'narrow', allowedModels: ['mock'] });
    expect(await run(owner, 'updateApiKey', { id: made.id, allowedModels: ['mock', 'other'] }, '')).toMatchObject({ __typename: 'InvalidInput', fields: [{ path: 'allowedModels' }] });
    const rolled = (await run(owner, 'rollApiKey', { id: made.id }, '... on CreatedApiKey { secret apiKey { id allowedModels state } }'))['apiKey'] as { id: string };
    expect(rolled).toMatchObject({ allowedModels: ['mock'], state: 'ACTIVE' });
    expect(await run(owner, 'revokeApiKey', { id: rolled.id }, '... on ApiKey { state revokedAt }')).toMatchObject({ state: 'REVOKED', revokedAt: expect.any(String) });
    expect(await run(owner, 'rollApiKey', { id: rolled.id }, '')).toMatchObject({ __typename: 'Conflict', code: 'api_key_ended' });
  });

  it('of the playground ends the one before, and shares its limits', async () => {
    const { own } = world.organizations;
    const selection = '... on PlaygroundKey { secret expiresAt gatewayUrl }';
    const one = await run(world.person('owner'), 'openPlayground', { projectId: own.projectId }, selection);
    expect(Date.parse(String(one['expiresAt'])) - Date.now()).toBeLessThanOrEqual(15 * 60_000);
    await run(world.person('owner'), 'openPlayground', { projectId: own.projectId }, selection);
    const keys = await world.usage.money.sql<{ works: boolean; lineage: string }>("SELECT revoked_at IS NULL AS works, coalesce(lineage_id, id)::text AS lineage FROM api_key WHERE organization_id = $1 AND name LIKE 'playground %' ORDER BY id", [own.id]);
    expect(keys.map(({ works }) => works)).toEqual([false, true]);
    expect(new Set(keys.map(({ lineage }) => lineage)).size).toBe(1);
    const limits = await world.usage.money.sql<{ measure: string }>('SELECT measure FROM usage_limit WHERE organization_id = $1 AND subject_id = $2 ORDER BY measure', [own.id, keys[0]!.lineage]);
    expect(limits.map(({ measure }) => measure)).toEqual(['concurrency', 'requests', 'tokens']);
  });
});

describe('a grant', () => {
  const issue = (viewer: Viewer, amount: string) =>
    run(viewer, 'issueGrant', { organizationId: world.organizations.foreign.globalId, unit: 'USD', amount, source: 'prepaid' }, '... on Grant { id amount } ... on AwaitsApproval { approval { id amount status mayDecide requestedBy { kind } } }');

  it('below the limit is issued at once', async () => {
    expect(await issue(world.person('finance'), '10')).toMatchObject({ __typename: 'Grant', amount: '10' });
  });

  it('above the limit waits for another person, and a token may not be that one', async () => {
    const asked = await issue(world.person('finance'), '5000');
    expect(asked).toMatchObject({ __typename: 'AwaitsApproval', approval: { amount: '5000', status: 'PENDING', mayDecide: false } });
    const { id } = asked['approval'] as { id: string };
    expect(await run(world.person('finance'), 'decideApproval', { id, approve: true }, '')).toMatchObject({ __typename: 'Forbidden' });
    expect(await run(world.token('admin'), 'decideApproval', { id, approve: true }, '')).toMatchObject({ __typename: 'Forbidden' });
    expect(await run(world.person('admin'), 'decideApproval', { id, approve: true }, '... on Approval { status decidedBy { kind name } }')).toMatchObject({ __typename: 'Approval', status: 'APPROVED', decidedBy: { kind: 'person', name: 'person admin' } });
    expect(await run(world.person('admin'), 'decideApproval', { id, approve: true }, '')).toMatchObject({ __typename: 'Conflict', code: 'approval_decided' });
  });

  it('is paid to a child by its parent', async () => {
    const { own, child } = world.organizations;
    const [grant] = await world.usage.money.sql<{ id: string }>('SELECT id FROM credit_grant WHERE organization_id = $1 AND granted = 100', [own.id]);
    expect(await run(world.person('billing'), 'transferGrant', { grantId: idOf('Grant', own.id, grant!.id), toOrganizationId: child.globalId, amount: '4' }, '... on Grant { available }')).toMatchObject({ __typename: 'Grant', available: '96' });
  });
});

describe('budgets and alerts', () => {
  it('are set, shown and removed', async () => {
    const { own } = world.organizations;
    const billing = world.person('billing');
    const set = await run(billing, 'setBudget', { organizationId: own.globalId, subject: { kind: 'organization' }, unit: 'USD', period: 'month', amount: '20', alertPercents: [90] }, '... on Budget { id amount left alertPercents subject { kind } }');
    expect(set).toMatchObject({ __typename: 'Budget', amount: '20', alertPercents: [90], subject: { kind: 'organization' } });
    expect(await run(billing, 'removeBudget', { id: set['id'] }, '')).toMatchObject({ __typename: 'Done' });
    expect(await run(billing, 'setAlerts', { organizationId: own.globalId, email: 'bills@example.com', lowBalances: [{ unit: 'USD', amount: '5' }] }, '... on AlertSettings { email lowBalances { unit amount } }')).toMatchObject({ email: 'bills@example.com', lowBalances: [{ unit: 'USD', amount: '5' }] });
    expect(await run(billing, 'setAlerts', { organizationId: own.globalId, lowBalances: [] }, '... on AlertSettings { email lowBalances { unit } }')).toMatchObject({ email: null, lowBalances: [] });
  });
});

describe('a token with a part of its role', () => {
  it('gives nobody a role, and makes no token', async () => {
    const { own } = world.organizations;
    const narrow = world.token('owner', { permissions: new Set(['tokens.write', 'members.write', 'members.read', 'tokens.read'] as const) });
    expect(await run(narrow, 'createServiceToken', { organizationId: own.globalId, name: 'more', role: 'OWNER', expiresAt: '2026-12-30T00:00:00Z' }, '')).toMatchObject({ __typename: 'Forbidden' });
    expect(await run(narrow, 'inviteMember', { organizationId: own.globalId, email: 'me@example.com', role: 'OWNER' }, '')).toMatchObject({ __typename: 'Forbidden' });
  });
});

describe('a read by the staff', () => {
  it("stands in the customer's audit log, once a minute", async () => {
    const { foreign } = world.organizations;
    const before = (await world.usage.money.sql("SELECT 1 FROM audit_entry WHERE organization_id = $1 AND action = 'staff.read' AND after ->> 'operation' = 'Look'", [foreign.id])).length;
    const look = 'query Look($id: ID!) { organization(id: $id) { requests(first: 1) { nodes { id } } } }';
    await world.api.query(world.person('support'), look, { id: foreign.globalId });
    await world.api.query(world.person('support'), look, { id: foreign.globalId });
    const after = await world.usage.money.sql<{ actor_id: string }>("SELECT actor_id FROM audit_entry WHERE organization_id = $1 AND action = 'staff.read' AND after ->> 'operation' = 'Look'", [foreign.id]);
    expect(after.length - before).toBe(1);
    expect(after[0]!.actor_id).toBe(world.people['support']);
  });
});
