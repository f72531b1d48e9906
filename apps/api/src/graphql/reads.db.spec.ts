import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiWorld } from '../../../../test/support/api-world.js';
import { until } from '../../../../test/support/until.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.create();
});
afterAll(async () => {
  await world.drop();
});

/** Everything of an organization, as its owner reads it. */
const whole = `query ($id: ID!) { organization(id: $id) {
  id slug name kind status timeZone createdAt parent { slug } children { nodes { slug } } permissions
  balances { unit available held granted used burnPerDay runsOutOn expiresNext }
  grants { nodes { id source unit amount available leased state priority scope effectiveAt expiresAt reference createdAt organization { slug } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
  projects { nodes { id name createdAt archivedAt apiKeyCount } }
  apiKeys(state: ACTIVE) { nodes { id name prefix state project { name } allowedModels createdAt expiresAt revokedAt lastUsedAt limits { measure amount window } } }
  limits { id subject { kind name id } measure unit window amount mode used createdAt }
  budgets { id subject { kind name id } unit period amount used left periodStart periodEnd alertPercents alerted mode }
  members { nodes { person { name email } role since twoFactorEnabled } }
  invitations { email role createdAt expiresAt invitedBy { name } }
  serviceTokens { name prefix role permissions createdAt expiresAt revokedAt lastUsedAt }
  webhookEndpoints { url types enabled createdAt }
  webhookDeliveries { nodes { type status attempts createdAt nextAt lastError endpoint { url } } }
  models { id contextWindow maxOutputTokens capabilities prices { class amount currency per } }
  usageFilters { models tagKeys units }
  ledger { nodes { kind sourceId postedAt position hash postings { account unit amount } organization { slug } } }
} }`;

const requests = `query ($id: ID!, $request: ID!) { organization(id: $id) {
  requests(first: 2) { edges { cursor } nodes { id requestId model operation outcome status errorCode finishReason stream endUser tags inputTokens outputTokens counts { class tokens } estimated
    charges { unit amount } hold admittedAt firstTokenAt finishedAt settledAt allocations { grantId unit tokens amount grant { source } } project { name } apiKey { name } lane cost costCurrency margin } pageInfo { hasNextPage endCursor } }
  request(id: $request) { id lines { class tokens unit price per amount formula } attempts { attempt outcome status lane admittedAt finishedAt } cost }
} }`;

const series = `query ($id: ID!, $input: UsageSeriesInput!) { organization(id: $id) { usageSeries(input: $input) {
  grain points { at group requests errors inputTokens cachedTokens outputTokens charge unit } totals { group label requests charge unit p50FirstTokenMs p95DurationMs } } } }`;

const staff = `{ organizations(search: "marker") { nodes { slug balances { unit available } } } models { id prices { amount } } lanes { id model baseUrl drain cost { class amount } requestsLastHour errorsLastHour }
  gateways { name startedAt lastHeartbeatAt state openRequests leases } queues { name waiting oldestWaitingSeconds failed stuck } deadLetters { nodes { queue key payload } }
  quarantine { nodes { reason raw step organization { slug } } } reconcileRuns { nodes { startedAt holds findings summary } }
  ledgerAccounts { name kind meaning balances { unit amount } }
  operationsOverview { organizations gatewaysAlive openRequests quarantined deadLetters unratedSeconds lastReconcile { holds } revenueToday { unit amount } } }`;

const organizationOf = (answer: Record<string, unknown>): Record<string, unknown> => {
  expect(answer['errors']).toBeUndefined();
  return (answer['data'] as { organization: Record<string, unknown> }).organization;
};

describe('a read of an organization', () => {
  it('answers every field to its owner', async () => {
    const { own } = world.organizations;
    const organization = organizationOf(await world.api.query(world.person('owner'), whole, { id: own.globalId }));
    expect(organization).toMatchObject({
      slug: own.slug, kind: 'CUSTOMER', parent: null, children: { nodes: [{ slug: 'child-marker' }] },
      projects: { nodes: [{ name: `project ${own.marker}`, apiKeyCount: 1 }] },
      apiKeys: { nodes: [{ name: `key ${own.marker}`, state: 'ACTIVE', project: { name: `project ${own.marker}` }, limits: [{ measure: 'requests', amount: '1000', window: '60s' }] }] },
      limits: [{ subject: { kind: 'api_key', name: `key ${own.marker}`, id: own.apiKeyId } }],
      budgets: [{ subject: { kind: 'project' }, unit: 'USD', period: 'month', amount: '50', used: '0', left: '50' }],
      members: { nodes: [{ role: 'OWNER', person: { name: `person ${own.marker}` } }] },
      invitations: [{ email: `guest-${own.marker}@example.com`, invitedBy: { name: `person ${own.marker}` } }],
      serviceTokens: [{ name: `token ${own.marker}`, role: 'VIEWER' }],
      webhookEndpoints: [{ url: `https://${own.marker}.example.com/hook`, types: null, enabled: true }],
      models: [{ id: 'mock', prices: [{ class: 'input', amount: '1', currency: 'USD', per: 1 }] }],
      usageFilters: { models: ['mock'], tagKeys: ['team'], units: ['USD'] },
    });
    expect(organization['balances']).toMatchObject([{ unit: 'USD', available: '107', granted: '107', used: '0', burnPerDay: '6' }]);
    expect((organization['ledger'] as { nodes: { postings: unknown[] }[] }).nodes[0]!.postings).toHaveLength(2);
  });

  it('answers a request with its whole arithmetic, and of the company only to its staff', async () => {
    const { own } = world.organizations;
    const variables = { id: own.globalId, request: own.requestId };
    const mine = organizationOf(await world.api.query(world.person('owner'), requests, variables)) as { requests: { nodes: object[]; pageInfo: object }; request: object };
    expect(mine.request).toEqual({
      id: own.requestId, cost: null, lines: [{ class: 'input', tokens: '2', unit: 'USD', price: '1', per: '1', amount: '2', formula: '2 × 1 ÷ 1 = 2' }],
      attempts: [expect.objectContaining({ attempt: 0, outcome: 'completed', status: 200, lane: null })],
    });
    expect(mine.requests.nodes).toHaveLength(2);
    expect(mine.requests.nodes[0]).toMatchObject({ model: 'mock', inputTokens: '2', charges: [{ unit: 'USD', amount: '2' }], tags: { team: own.marker }, apiKey: { name: `key ${own.marker}` }, cost: null, margin: null });
    expect(mine.requests.pageInfo).toMatchObject({ hasNextPage: true });
    const theirs = organizationOf(await world.api.query(world.person('support'), requests, variables)) as { requests: { nodes: object[] }; request: object };
    expect(theirs.requests.nodes[0]).toMatchObject({ cost: '0.5', costCurrency: 'USD', margin: '1.5' });
  });

  it('pages through a list without gap or repetition', async () => {
    const { own } = world.organizations;
    const query = 'query ($id: ID!, $after: String) { organization(id: $id) { requests(first: 1, after: $after) { nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } } }';
    const seen: string[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const { requests: page } = organizationOf(await world.api.query(world.person('viewer'), query, { id: own.globalId, after })) as { requests: { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string } } };
      expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
      seen.push(...page.nodes.map(({ id }) => id));
      after = page.pageInfo.endCursor;
      more = page.pageInfo.hasNextPage;
    }
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(3);
  });

  it.each(['MINUTE', 'HOUR', 'DAY', 'MONTH'])('sums use by %s, each request once', async (grain) => {
    const { own } = world.organizations;
    const input = { grain, from: new Date(Date.now() - 40_000_000).toISOString(), until: new Date(Date.now() + 40_000_000).toISOString(), groupBy: 'API_KEY', filter: { models: ['mock'], apiKeyIds: [own.apiKeyId] } };
    const { usageSeries } = organizationOf(await world.api.query(world.person('viewer'), series, { id: own.globalId, input })) as { usageSeries: { points: { requests: string }[]; totals: object[] } };
    expect(usageSeries.points.reduce((sum, { requests: count }) => sum + Number(count), 0)).toBe(3);
    expect(usageSeries.totals).toEqual([expect.objectContaining({ label: `key ${own.marker}`, requests: '3', charge: '6', unit: 'USD', p50FirstTokenMs: 800, p95DurationMs: 50 })]);
  });

  it('divides use by each property, and leaves out what a filter does', async () => {
    const { own } = world.organizations;
    const range = { grain: 'DAY', from: new Date(Date.now() - 86_400_000).toISOString(), until: new Date(Date.now() + 86_400_000).toISOString() };
    const totals = async (input: object) => (organizationOf(await world.api.query(world.person('owner'), series, { id: own.globalId, input: { ...range, ...input } })) as { usageSeries: { totals: { group: string; label: string; requests: string }[] } }).usageSeries.totals;
    expect(await totals({})).toMatchObject([{ group: '', requests: '3' }]);
    expect(await totals({ groupBy: 'MODEL' })).toMatchObject([{ group: 'mock', requests: '3' }]);
    expect(await totals({ groupBy: 'PROJECT' })).toMatchObject([{ label: `project ${own.marker}`, requests: '3' }]);
    expect(await totals({ groupBy: 'TAG', tagKey: 'team' })).toMatchObject([{ group: own.marker, requests: '3' }]);
    expect(await totals({ groupBy: 'UNIT' })).toMatchObject([{ group: 'USD', requests: '3' }]);
    expect(await totals({ filter: { models: ['another'] } })).toEqual([]);
    expect(await totals({ filter: { unit: 'EUR' } })).toEqual([]);
  });

  it('lists a model that the loopback engine may answer behind all others', async () => {
    const { own } = world.organizations;
    const copy = (table: string, condition: string, change: string): Promise<unknown> =>
      world.usage.money.sql(`INSERT INTO ${table} SELECT (jsonb_populate_record(r, ${change})).* FROM ${table} r WHERE ${condition}`);
    await copy('model', "id = 'mock'", `'{"id": "an-echo"}'`);
    await copy('lane', "model_id = 'mock'", `jsonb_build_object('id', gen_random_uuid(), 'model_id', 'an-echo', 'kind', 'worker', 'upstream_model', 'loopback')`);
    await copy('price_version', "model_id = 'mock'", `jsonb_build_object('id', gen_random_uuid(), 'model_id', 'an-echo')`);
    const { models } = organizationOf(await world.api.query(world.person('owner'), 'query ($id: ID!) { organization(id: $id) { models { id } } }', { id: own.globalId }));
    expect(models).toEqual([{ id: 'mock' }, { id: 'an-echo' }]);
  });

  it.each(['Organization', 'Grant', 'Project', 'ApiKey', 'Request', 'LedgerTransaction', 'Limit'])('finds a %s by its id, for its own people alone', async (type) => {
    const ids = { Organization: 'globalId', Grant: 'grantId', Project: 'projectId', ApiKey: 'apiKeyId', Request: 'requestId', LedgerTransaction: 'transactionId', Limit: 'limitId' } as const;
    const find = async (place: 'own' | 'foreign') => (await world.api.query(world.person('owner'), 'query ($id: ID!) { node(id: $id) { __typename id } }', { id: world.organizations[place][ids[type as keyof typeof ids]] }))['data'];
    expect(await find('own')).toEqual({ node: { __typename: type, id: world.organizations.own[ids[type as keyof typeof ids]] } });
    expect(await find('foreign')).toEqual({ node: null });
  });
});

describe('a read of the staff', () => {
  it('answers every field to an admin', async () => {
    const answer = await world.api.query(world.person('admin'), staff);
    expect(answer['errors']).toBeUndefined();
    expect(answer['data']).toMatchObject({
      organizations: { nodes: ['child-marker', 'foreign-marker', 'own-marker'].map((slug) => ({ slug, balances: [{ unit: 'USD', available: '107' }] })) },
      operationsOverview: { organizations: expect.any(Number), revenueToday: [{ unit: 'USD', amount: '18' }] },
    });
  });

  it('finds organizations by a part of their name', async () => {
    const answer = await world.api.query(world.person('support'), '{ organizations(search: "FOREIGN") { nodes { slug } } }');
    expect(answer).toEqual({ data: { organizations: { nodes: [{ slug: 'foreign-marker' }] } } });
  });
});

describe('the viewer', () => {
  const me = '{ viewer { id kind person { name email } memberships { role permissions organization { slug } } staffRole staffPermissions impersonating { slug } twoFactorEnabled } }';

  it('is told of itself', async () => {
    const { own, foreign } = world.organizations;
    expect(await world.api.query(world.person('billing'), me)).toMatchObject({ data: { viewer: { kind: 'PERSON', person: { name: `person ${own.marker}` }, memberships: [{ role: 'BILLING', organization: { slug: own.slug } }], staffRole: null, staffPermissions: [], impersonating: null } } });
    expect(await world.api.query(world.token('admin'), me)).toMatchObject({ data: { viewer: { kind: 'TOKEN', person: null, staffRole: 'ADMIN' } } });
    expect(await world.api.query(world.person('support', { impersonating: foreign.id }), me)).toMatchObject({ data: { viewer: { staffRole: null, impersonating: { slug: foreign.slug } } } });
  });
});

describe('an operation that fails in one part', () => {
  /** More than the api has connections. */
  const times = 24;

  it.each(['owner', 'support'] as const)('leaves no transaction of the %s behind, whatever its other parts still read', async (role) => {
    const { own } = world.organizations;
    const query = `query ($id: ID!, $at: DateTime!) { organization(id: $id) {
      usageSeries(input: { grain: DAY, from: $at, until: $at }) { grain }
      requests(first: 2) { nodes { project { name apiKeyCount } apiKey { name limits { amount } } allocations { grant { source organization { name } } } } }
      apiKeys { nodes { project { name } limits { amount } } } } }`;
    for (let time = 0; time < times; time += 1) {
      const answer = await world.api.query(world.person(role), query, { id: own.globalId, at: '2026-11-01T00:00:00Z' });
      expect(answer).toMatchObject({ data: { organization: null }, errors: [{ extensions: { reason: 'rollup_range_empty' } }] });
    }
    const open = () => world.usage.money.sql("SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'api' AND state LIKE 'idle in transaction%'");
    await until('no transaction is open', async () => (await open()).length === 0, 10_000);
    expect(organizationOf(await world.api.query(world.person(role), 'query ($id: ID!) { organization(id: $id) { slug } }', { id: own.globalId }))).toEqual({ slug: own.slug });
  });
});
