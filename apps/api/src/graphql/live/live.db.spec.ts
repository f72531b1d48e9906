import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { customerRoles, staffRoles, type Role, type Viewer } from '@kilotoken/access';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { matrixOfSubscriptions } from '../../../../../test/support/api-matrix.js';
import { ApiWorld, places } from '../../../../../test/support/api-world.js';

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.create();
});
afterAll(async () => {
  await world.drop();
});

/** A socket of a viewer; `as` changes who they are from then on. */
const connect = (viewer: Viewer | null, headers: Record<string, string> = {}): Client => {
  const named = world.api.headersOf(viewer);
  class Socket extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols, { headers: { ...named, ...headers } });
    }
  }
  return createClient({ url: world.api.url.replace('http', 'ws'), webSocketImpl: Socket, retryAttempts: 0, lazy: true });
};

/** The first value, or the code of the error that ended it. */
const first = async (client: Client, query: string): Promise<unknown> => {
  const values = client.iterate({ query });
  try {
    const { value } = (await values.next()) as { value?: { data?: unknown; errors?: readonly { extensions?: { code?: string } }[] } };
    return value?.errors?.[0]?.extensions?.code ?? value?.data;
  } catch (error) {
    return Array.isArray(error) ? (error as { extensions?: { code?: string } }[])[0]?.extensions?.code : 'closed';
  } finally {
    void values.return?.();
    void client.dispose();
  }
};

const balance = (id: string): string => `subscription { balanceChanged(organizationId: "${id}") { unit available } }`;

describe('a subscription', () => {
  it('tells how a balance stands at once, and each change', async () => {
    const { own } = world.organizations;
    const client = connect(world.person('viewer'));
    const values = client.iterate({ query: balance(own.globalId) });
    expect((await values.next()).value).toMatchObject({ data: { balanceChanged: [{ unit: 'USD', available: '107' }] } });
    await world.usage.money.sql('UPDATE credit_grant SET granted = granted + 1, available = available + 1 WHERE organization_id = $1 AND granted = 7', [own.id]);
    expect((await values.next()).value).toMatchObject({ data: { balanceChanged: [{ unit: 'USD', available: '108' }] } });
    await world.usage.money.sql('UPDATE credit_grant SET granted = granted - 1, available = available - 1 WHERE organization_id = $1 AND granted = 8', [own.id]);
    await client.dispose();
  });

  it('tells of a request when it has settled, with the fields that its viewer may see', async () => {
    const { own } = world.organizations;
    const client = connect(world.person('viewer'));
    const values = client.iterate({ query: `subscription { requestSettled(organizationId: "${own.globalId}") { requestId cost project { name } apiKey { name } } }` });
    const value = values.next();
    const balances = connect(world.person('viewer'));
    // The watcher has looked once when the balance comes: what settles from now on is new to it.
    await first(balances, balance(own.globalId));
    const [id] = await world.usage.put([{ organizationId: own.id, settledAt: new Date() }]);
    expect((await value).value).toMatchObject({ data: { requestSettled: { requestId: id, cost: null, apiKey: null } } });
    await client.dispose();
  });

  it('ends when the role is taken away', async () => {
    const { own } = world.organizations;
    const viewer = world.person('viewer');
    const client = connect(viewer);
    const values = client.iterate({ query: balance(own.globalId) });
    await values.next();
    world.api.become(viewer, { ...viewer, memberships: [] });
    await expect(values.next()).rejects.toMatchObject([{ message: 'There is no such object.', extensions: { code: 'NOT_FOUND' } }]);
    await client.dispose();
  });

  it.each([...customerRoles, ...staffRoles])('answers a %s for organizations that are theirs, and no others', async (role: Role) => {
    for (const place of places) {
      const organization = world.organizations[place];
      const { own, child, staff } = matrixOfSubscriptions['balanceChanged']!;
      const isStaff = (staffRoles as readonly Role[]).includes(role);
      const reach = place === 'own' ? own : place === 'child' ? child : [];
      const isAllowed = isStaff ? staff!.includes(role) : reach!.includes(role);
      const answer = await first(connect(world.person(role)), balance(organization.globalId));
      if (isAllowed) expect(answer).toMatchObject({ balanceChanged: [{ unit: 'USD' }] });
      else expect(answer).toBe(isStaff ? 'FORBIDDEN' : 'NOT_FOUND');
    }
  });
});

describe('the socket', () => {
  it('takes nobody, no page of another site, and no query', async () => {
    const { own } = world.organizations;
    expect(await first(connect(null), balance(own.globalId))).toBe('closed');
    expect(await first(connect(world.person('owner'), { origin: 'https://evil.example.com' }), balance(own.globalId))).toBe('closed');
    expect(await first(connect(world.person('owner'), { origin: 'https://console.example.com' }), balance(own.globalId))).toMatchObject({ balanceChanged: [{ unit: 'USD' }] });
    expect(await first(connect(world.person('owner')), '{ viewer { id } }')).toBe('BAD_REQUEST');
  });

  it('holds a subscription to the limits of any operation', async () => {
    const { own } = world.organizations;
    const deep = `subscription { requestSettled(organizationId: "${own.globalId}") { apiKey { project { id ${'x '.repeat(2_100)} } } } }`;
    expect(await first(connect(world.person('owner')), deep)).toBe('GRAPHQL_PARSE_FAILED');
  });
});
