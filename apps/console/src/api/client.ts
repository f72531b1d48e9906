import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { OperationTypeNode, type DocumentNode } from 'graphql';
import { possibleTypes } from '../graphql/generated/possible-types.ts';
import { lazySocketLink } from './socket-link.ts';

/** The id that `generate.mjs` gave an operation: the SHA-256 of its text, by which the api knows it in production. */
const hashOf = (document: DocumentNode): string => {
  const { __meta__: meta } = document as DocumentNode & { readonly __meta__?: { readonly hash: string } };
  if (!meta) throw new Error('An operation of the console lacks its hash: write it in src/graphql and run the build.');
  return meta.hash;
};

const http = ApolloLink.from([
  new PersistedQueryLink({ generateHash: hashOf }),
  new HttpLink({ uri: '/graphql', credentials: 'same-origin', headers: { 'apollo-require-preflight': 'true' } }),
]);

/** Parts without an id of their own are merged into the object that holds them. */
const merged = { merge: true } as const;

export const createClient = (): ApolloClient =>
  new ApolloClient({
    link: ApolloLink.split(({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION, lazySocketLink(), http),
    cache: new InMemoryCache({ possibleTypes, typePolicies: { Viewer: merged, AlertSettings: merged, Member: { keyFields: false }, Model: { keyFields: false } } }),
    defaultOptions: { watchQuery: { fetchPolicy: 'cache-and-network' } },
  });
