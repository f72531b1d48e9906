import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { ApiWorld } from '../../../../test/support/api-world.js';

/** The SQL of one operation, counted on the wire of its connections: the same whatever number of rows it answers. */
let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.create();
});
afterAll(async () => {
  await world.drop();
});

const begin = 1;
const commit = 1;
/** A transaction that writes what the staff read: its begin, its settings, the entry, its end. */
const auditEntry = 4;

const count = async (query: string, variables: object, role: 'owner' | 'admin' = 'owner'): Promise<number> => {
  const sent: string[] = [];
  const original = pg.Client.prototype.query;
  const spy = jest.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    const text = typeof args[0] === 'string' ? args[0] : ((args[0] as { text?: string } | undefined)?.text ?? '');
    sent.push(text);
    return (original as (...all: unknown[]) => unknown).apply(this, args);
  } as never);
  try {
    const answer = await world.api.query(world.person(role), query, variables);
    expect(answer['errors']).toBeUndefined();
    return sent.length;
  } finally {
    spy.mockRestore();
  }
};

describe('the statements of an operation', () => {
  const own = (): object => ({ id: world.organizations.own.globalId });
  const of = (fields: string): string => `query ($id: ID!) { organization(id: $id) { ${fields} } }`;

  it.each([
    ['an organization', of('name'), 1],
    ['an organization with balances', of('name balances { unit available }'), 2],
    ['a page of keys with their projects and limits', of('apiKeys(first: 50) { nodes { name project { name apiKeyCount } limits { amount } } }'), 5],
    ['a page of requests with projects, keys and grants', of('requests(first: 50) { nodes { model project { name } apiKey { name } allocations { grant { source } } } }'), 4],
    ['a page of requests with their whole arithmetic', of('requests(first: 50) { nodes { lines { formula } attempts { status } } }'), 4],
    ['a page of the ledger with its postings', of('ledger(first: 50) { nodes { kind postings { account amount } organization { name } } }'), 3],
    ['members, invitations and those who invited', of('members { nodes { person { name } } } invitations { email invitedBy { name } }'), 4],
    ['budgets, limits and alerts', of('limits { amount } budgets { left } alertSettings { email }'), 3],
  ])('of %s are as many as its parts', async (_, query, reads) => {
    expect(await count(query, own())).toBe(begin + reads + commit);
  });

  it('of the balances and keys of all organizations are as many as for one', async () => {
    expect(await count('{ organizations(first: 50) { nodes { name parent { name } balances { available } apiKeys(first: 5) { nodes { name project { name } } } } } }', {}, 'admin')).toBe(begin + 5 + commit + auditEntry);
  });
});
