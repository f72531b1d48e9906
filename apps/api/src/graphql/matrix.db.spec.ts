import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { customerRoles, staffRoles, type Role, type Viewer } from '@kilotoken/access';
import type { GraphQLSchema } from 'graphql';
import { ApiWorld, places, type PlaceName } from '../../../../test/support/api-world.js';
import { matrixOfFields, matrixOfMutations, matrixOfQueries, matrixOfSubscriptions, type Case } from '../../../../test/support/api-matrix.js';
import { buildSchema } from './schema.js';

/** Every operation × every role × own, child and foreign organization. `test/support/api-matrix.ts` says whom each one answers. */
let world: ApiWorld;
let schema: GraphQLSchema;
beforeAll(async () => {
  world = await ApiWorld.create();
  schema = await buildSchema();
});
afterAll(async () => {
  await world.drop();
});

type Outcome = 'allowed' | 'forbidden' | 'hidden';

const roles: readonly Role[] = [...customerRoles, ...staffRoles];

/** The expectation of the matrix. A customer's role counts in `own`, and of owner and billing in `child` where a parent reaches. */
const expected = ({ own, child, staff }: Case, role: Role, place: PlaceName): Outcome => {
  if ((staffRoles as readonly Role[]).includes(role)) {
    if (staff?.includes(role)) return 'allowed';
    // Staff know that every organization exists; customers' own deeds are not theirs at all.
    return staff === undefined ? 'hidden' : 'forbidden';
  }
  if (own === undefined || place === 'foreign') return 'hidden';
  if (place === 'own') return own.includes(role) ? 'allowed' : 'forbidden';
  const reaches = role === 'owner' || role === 'billing';
  if (!reaches) return 'hidden';
  return child?.includes(role) ? 'allowed' : 'forbidden';
};

const outcomeOf = (answer: Record<string, unknown>, field: string): Outcome => {
  const errors = (answer['errors'] ?? []) as { extensions: { code: string } }[];
  const codes = errors.map(({ extensions }) => extensions.code);
  if (codes.includes('FORBIDDEN')) return 'forbidden';
  if (codes.includes('NOT_FOUND')) return 'hidden';
  expect({ field, errors: errors.filter(({ extensions }) => extensions.code !== 'BAD_USER_INPUT') }).toEqual({ field, errors: [] });
  const data = answer['data'] as Record<string, unknown> | null;
  const value = data?.[field] as { __typename?: string } | null | undefined;
  if (value?.__typename === 'Forbidden') return 'forbidden';
  if (value?.__typename === 'NotFound') return 'hidden';
  return 'allowed';
};

describe('the matrix', () => {
  it('has every operation of the schema, and every field of an organization', () => {
    const names = (type: string): string[] => Object.keys(schema.getType(type) && 'getFields' in schema.getType(type)! ? (schema.getType(type) as { getFields(): object }).getFields() : {}).sort();
    expect(Object.keys(matrixOfQueries).sort()).toEqual(names('Query'));
    expect(Object.keys(matrixOfMutations).sort()).toEqual(names('Mutation'));
    expect(Object.keys(matrixOfSubscriptions).sort()).toEqual(names('Subscription'));
    const plain = ['id', 'slug', 'name', 'kind', 'status', 'timeZone', 'createdAt'];
    expect([...Object.keys(matrixOfFields), ...plain].sort()).toEqual(names('Organization'));
  });

  const send = async (viewer: Viewer, query: string, field: string): Promise<Outcome> => {
    const { status, body } = await world.api.send(viewer, { query });
    expect({ query, status }).toEqual({ query, status: 200 });
    // No answer tells a customer anything of a stranger.
    const isCustomer = viewer.memberships[0]!.organizationId === world.organizations.own.id;
    if (isCustomer) expect(JSON.stringify(body)).not.toContain(world.organizations.foreign.marker);
    return outcomeOf(body, field);
  };

  it.each(roles)('answers a %s the fields of organizations that are theirs, and no others', async (role) => {
    const found: string[] = [];
    const wanted: string[] = [];
    for (const [name, one] of Object.entries(matrixOfFields)) {
      for (const place of places) {
        const organization = world.organizations[place];
        const text = `{ node(id: "${organization.globalId}") { ... on Organization { ${await one.text(organization, world)} } } }`;
        found.push(`${name} by ${role} of ${place}: ${await send(world.person(role), text, 'node')}`);
        wanted.push(`${name} by ${role} of ${place}: ${organizationSeen(role, place) ? expected(one, role, place) : 'allowed'}`);
      }
    }
    expect(found).toEqual(wanted);
  });

  it.each(roles)('answers a %s the queries that are theirs, and no others', async (role) => {
    const found: string[] = [];
    const wanted: string[] = [];
    for (const [name, one] of Object.entries(matrixOfQueries)) {
      found.push(`${name} by ${role} of own: ${await send(world.person(role), `{ ${await one.text(world.organizations.own, world)} }`, name)}`);
      wanted.push(`${name} by ${role} of own: ${one.everybody ? 'allowed' : expected(one, role, 'own')}`);
    }
    expect(found).toEqual(wanted);
  });

  it.each(roles)('lets a %s do the mutations that are theirs, and no others', async (role) => {
    const found: string[] = [];
    const wanted: string[] = [];
    for (const [name, one] of Object.entries(matrixOfMutations)) {
      for (const place of places) {
        const text = `mutation { ${name}${await one.text(world.organizations[place], world)} { __typename } }`;
        found.push(`${name} by ${role} of ${place}: ${await send(world.person(role), text, name)}`);
        wanted.push(`${name} by ${role} of ${place}: ${one.everybody ? 'allowed' : expected(one, role, place)}`);
      }
    }
    expect(found).toEqual(wanted);
  });

  it('changes nothing for an impersonator, whatever the mutation', async () => {
    const viewer = world.person('admin', { impersonating: world.organizations.foreign.id });
    const allowed: string[] = [];
    for (const [name, one] of Object.entries(matrixOfMutations)) {
      if (one.everybody) continue;
      const { body } = await world.api.send(viewer, { query: `mutation { ${name}${await one.text(world.organizations.foreign, world)} { __typename } }` });
      if (outcomeOf(body, name) === 'allowed') allowed.push(name);
    }
    expect(allowed).toEqual([]);
  });

  it('answers nobody without a session or token', async () => {
    for (const [name, one] of Object.entries({ ...matrixOfQueries, ...matrixOfMutations })) {
      const isMutation = name in matrixOfMutations;
      const { body } = await world.api.send(null, { query: isMutation ? `mutation { ${name}${await one.text(world.organizations.own, world)} { __typename } }` : `{ ${await one.text(world.organizations.own, world)} }` });
      const data = (body['data'] as Record<string, unknown> | null)?.[name] ?? null;
      expect({ name, data }).toEqual({ name, data: null });
    }
  });
});

/** Whether a role sees the organization at all; what it does not see, `node` answers with null. */
const organizationSeen = (role: Role, place: PlaceName): boolean => {
  if ((staffRoles as readonly Role[]).includes(role)) return role === 'admin' || role === 'finance' || role === 'support';
  return place === 'own' || (place === 'child' && (role === 'owner' || role === 'billing'));
};
