import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getOperationAST, isInputType, isNonNullType, OperationTypeNode, parse, typeFromAST, type DocumentNode, type GraphQLInputType, type GraphQLSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ApiWorld } from '../../../../../test/support/api-world.js';
import { honestScalars, honestValue } from '../../../../../test/support/honest-values.js';
import { persistedFile } from '../../app.js';
import { buildSchema } from '../schema.js';
import { pageSizeMax } from '../shapes/connection.js';
import { readPersistedOperations } from './persisted-operations.js';

/** The console's real build against the api in production mode. */
const operations = [...readPersistedOperations(persistedFile)].map(([hash, text]) => {
  const document = parse(text);
  const { name, operation } = getOperationAST(document)!;
  return { hash, text, document, name: name!.value, kind: operation };
});
const ofKind = (wanted: OperationTypeNode) => operations.filter(({ kind }) => kind === wanted);

let world: ApiWorld;
let schema: GraphQLSchema;
beforeAll(async () => {
  world = await ApiWorld.create({ KILOTOKEN_MODE: 'production', API_PUBLIC_URL: 'https://console.example.com' }, readPersistedOperations(persistedFile));
  schema = await buildSchema();
});
afterAll(async () => {
  await world.drop();
});

/** Variables as a page sends them: pages as large as they may be. */
const variablesOf = (document: DocumentNode): Record<string, unknown> => {
  const scalars = { ...honestScalars, ID: world.organizations.own.globalId, Int: pageSizeMax };
  const needed = (getOperationAST(document)!.variableDefinitions ?? []).flatMap(({ variable, type: written }) => {
    const type = typeFromAST(schema, written as never) as GraphQLInputType | undefined;
    return type && isInputType(type) && isNonNullType(type) ? [[variable.name.value, honestValue(type, scalars)] as const] : [];
  });
  return Object.fromEntries(needed);
};

/** Answers of the executor: the operation itself was taken. */
const codesOfResolvers = new Set(['FORBIDDEN', 'NOT_FOUND', 'BAD_USER_INPUT']);

interface Answered {
  readonly data?: object | null;
  readonly errors?: readonly { readonly path?: readonly unknown[]; readonly extensions: { readonly code: string } }[];
}

describe("the console's build, in production", () => {
  it('has operations of every kind', () => {
    expect(Object.values(OperationTypeNode).filter((kind) => ofKind(kind).length === 0)).toEqual([]);
  });

  it.each([...ofKind(OperationTypeNode.QUERY), ...ofKind(OperationTypeNode.MUTATION)].map(({ name, hash, document }) => [name, hash, document] as const))('may run %s by its hash', async (_, hash, document) => {
    for (const role of ['owner', 'admin'] as const) {
      const { body } = await world.api.send(world.person(role), { variables: variablesOf(document), extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });
      const { data, errors = [] } = body as Answered;
      expect(data).not.toBeUndefined();
      expect(errors.filter(({ path, extensions }) => path === undefined || !codesOfResolvers.has(extensions.code))).toEqual([]);
    }
  });

  it.each(ofKind(OperationTypeNode.SUBSCRIPTION).map(({ name, text, document }) => [name, text, document] as const))('may follow %s on the socket', async (_, query, document) => {
    const headers = world.api.headersOf(world.person('owner'));
    class Socket extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, { headers });
      }
    }
    const client = createClient({ url: world.api.url.replace('http', 'ws'), webSocketImpl: Socket, retryAttempts: 0 });
    const follow = (followed: string) => client.iterate({ query: followed, variables: variablesOf(document) }).next();
    await expect(follow(`${query}\n`)).rejects.toMatchObject([{ extensions: { code: 'PERSISTED_OPERATION_NEEDED' } }]);
    const value = follow(query);
    // The watcher has looked once when a balance comes: a request that settles from now on is new to it.
    await follow(operations.find(({ name }) => name === 'BalanceChanged')!.text);
    await world.usage.put([{ organizationId: world.organizations.own.id, settledAt: new Date() }]);
    expect((await value).value).toMatchObject({ data: expect.any(Object) });
    await client.dispose();
  });

  it('lets sessions run no other operation, and shows nobody the schema', async () => {
    const owner = world.person('owner');
    const [known] = ofKind(OperationTypeNode.QUERY);
    const refused = [
      ['another text', { query: '{ viewer { kind } }' }],
      ['a text that differs in white space', { query: `${known!.text} `, variables: variablesOf(known!.document) }],
      ['a known hash with another text', { query: '{ viewer { kind } }', extensions: { persistedQuery: { version: 1, sha256Hash: known!.hash } } }],
      ['an unknown hash', { extensions: { persistedQuery: { version: 1, sha256Hash: '0'.repeat(64) } } }],
      ['the schema', { query: '{ __schema { types { name } } }' }],
    ] as const;
    for (const [told, body] of refused) {
      const { status, body: answer } = await world.api.send(owner, body);
      expect({ told, status, data: answer['data'] }).toEqual({ told, status: 400, data: undefined });
    }
    expect((await world.api.send(world.token('admin'), { query: '{ __schema { types { name } } }' })).status).toBe(400);
  });
});
