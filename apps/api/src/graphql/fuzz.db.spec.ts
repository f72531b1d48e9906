import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getNamedType, getNullableType, isEnumType, isInputObjectType, isListType, isNonNullType, isObjectType, isScalarType, type GraphQLArgument, type GraphQLInputType, type GraphQLObjectType, type GraphQLOutputType, type GraphQLSchema } from 'graphql';
import { ApiWorld } from '../../../../test/support/api-world.js';
import { honestScalars, honestValue } from '../../../../test/support/honest-values.js';
import { hostileNumbers, hostileTexts } from '../../../../test/support/hostile-values.js';
import { buildSchema } from './schema.js';

/** Every argument of every operation and field of an organization, with values that nobody honest sends. */
let world: ApiWorld;
let schema: GraphQLSchema;
beforeAll(async () => {
  world = await ApiWorld.create();
  schema = await buildSchema();
});
afterAll(async () => {
  await world.drop();
});

/** One hostile value at a time is tried, with this for all else. */
const honest = (type: GraphQLInputType): unknown => honestValue(type, { ...honestScalars, ID: world.organizations.own.globalId });

/** Hostile values of a type, each with everything else honest. */
const hostile = (type: GraphQLInputType): unknown[] => {
  const inner = getNullableType(type);
  if (isListType(inner)) return [...hostile(inner.ofType as GraphQLInputType).map((value) => [value]), Array(2_000).fill(honest(inner.ofType as GraphQLInputType)), null, 'no list'];
  if (isInputObjectType(inner)) {
    const whole = honest(inner) as object;
    return [...Object.values(inner.getFields()).flatMap(({ name, type: field }) => hostile(field).map((value) => ({ ...whole, [name]: value }))), {}, null, { __proto__: null, unknown: 1 }];
  }
  const { own, foreign } = world.organizations;
  const ids = [foreign.globalId, foreign.projectId, foreign.apiKeyId, foreign.grantId, foreign.requestId, foreign.limitId, foreign.endpointId, own.requestId, `${own.globalId}=`, 'T3JnYW5pemF0aW9uOjo'];
  if (isScalarType(inner) && inner.name === 'Int') return [...hostileNumbers];
  return [...hostileTexts, ...ids, ...hostileNumbers.slice(0, 4), null, [], {}];
};

const selectionOf = (type: GraphQLOutputType): string => (isScalarType(getNamedType(type)) || isEnumType(getNamedType(type)) ? '' : '{ __typename }');

const typeText = ({ type }: GraphQLArgument): string => String(type);

/** Requests at a time. */
const atOnce = 6;

const attack = async (operation: 'query' | 'mutation', owner: GraphQLObjectType, name: string, wrap: (field: string) => string): Promise<number> => {
  const field = owner.getFields()[name]!;
  let tried = 0;
  for (const attacked of field.args) {
    const tryOut = async (value: unknown): Promise<void> => {
      const needed = field.args.filter((argument) => argument === attacked || isNonNullType(argument.type));
      const variables = Object.fromEntries(needed.map((argument) => [argument.name, argument === attacked ? value : honest(argument.type)]));
      const declared = needed.map((argument) => `$${argument.name}: ${typeText(argument)}`).join(', ');
      const given = needed.map((argument) => `${argument.name}: $${argument.name}`).join(', ');
      const query = `${operation} (${declared}) { ${wrap(`${name}(${given}) ${selectionOf(field.type)}`)} }`;
      const { status, body } = await world.api.send(world.person('owner'), { query, variables });
      const text = JSON.stringify(body);
      const shown = { field: name, argument: attacked.name, value: JSON.stringify(value)?.slice(0, 120) };
      expect({ ...shown, isOurFault: status >= 500 || text.includes('INTERNAL_SERVER_ERROR') }).toEqual({ ...shown, isOurFault: false });
      expect({ ...shown, tellsOfStrangers: text.includes(world.organizations.foreign.marker) }).toEqual({ ...shown, tellsOfStrangers: false });
      tried += 1;
    };
    const values = hostile(attacked.type);
    for (let from = 0; from < values.length; from += atOnce) await Promise.all(values.slice(from, from + atOnce).map(tryOut));
  }
  return tried;
};

describe('hostile values', () => {
  it('in queries are no fault of ours, and tell nothing of strangers', async () => {
    const query = schema.getQueryType()!;
    let tried = 0;
    for (const name of Object.keys(query.getFields())) tried += await attack('query', query, name, (field) => field);
    expect(tried).toBeGreaterThan(300);
  });

  it('in fields of an organization are no fault of ours, and tell nothing of strangers', async () => {
    const organization = schema.getType('Organization');
    if (!isObjectType(organization)) throw new Error('there is no Organization');
    const { globalId } = world.organizations.own;
    let tried = 0;
    for (const name of Object.keys(organization.getFields())) tried += await attack('query', organization, name, (field) => `organization(id: "${globalId}") { ${field} }`);
    expect(tried).toBeGreaterThan(500);
  });

  it('in mutations are no fault of ours, and tell nothing of strangers', async () => {
    const mutation = schema.getMutationType()!;
    let tried = 0;
    for (const name of Object.keys(mutation.getFields())) tried += await attack('mutation', mutation, name, (field) => field);
    expect(tried).toBeGreaterThan(1_000);
  });
});
