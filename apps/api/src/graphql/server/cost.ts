import type { ApolloServerPlugin } from '@apollo/server';
import { GraphQLError, type GraphQLSchema, separateOperations, type DocumentNode } from 'graphql';
import { getComplexity, type ComplexityEstimatorArgs } from 'graphql-query-complexity';
import { pageSizeDefault, pageSizeMax } from '../shapes/connection.js';
import { operationLimits } from './limits.js';
import { refuseUnstorable } from './storable.js';

/** A list costs its rows times what each of them costs. A list without `first` is bounded by its nature, and small. */
const estimate = ({ args, childComplexity, type, field }: ComplexityEstimatorArgs): number => {
  // A page is both `nodes` and `edges`; the connection that holds them has the factor.
  if (/(Connection|Edge)$/.test(type.name) || !field.args.some(({ name }) => name === 'first')) return 1 + childComplexity;
  const first = typeof args['first'] === 'number' ? args['first'] : pageSizeDefault;
  return 1 + Math.min(Math.max(first, 1), pageSizeMax) * childComplexity;
};

const costOf = (schema: GraphQLSchema, document: DocumentNode, operationName: string | undefined, variables: Record<string, unknown>): number =>
  getComplexity({
    schema,
    query: operationName === undefined ? document : (separateOperations(document)[operationName] ?? document),
    variables,
    estimators: [estimate],
  });

const tooCostly = (cost: number): GraphQLError =>
  new GraphQLError(`The operation costs ${cost}, more than ${operationLimits.costMax}. Ask for fewer fields or smaller pages.`, { extensions: { code: 'OPERATION_TOO_COSTLY', http: { status: 400 } } });

/** Throws where an operation would cost too much, or holds what cannot be stored; variables that fit no type are the executor's to refuse. */
export const refuseUnfit = (schema: GraphQLSchema, document: DocumentNode, operationName: string | undefined, variables: Record<string, unknown>): void => {
  refuseUnstorable(document, variables);
  let cost: number;
  try {
    cost = costOf(schema, document, operationName, variables);
  } catch (error) {
    if (error instanceof GraphQLError) throw new GraphQLError(error.message, { nodes: error.nodes, extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });
    throw error;
  }
  if (cost > operationLimits.costMax) throw tooCostly(cost);
};

export const costPlugin: ApolloServerPlugin = {
  async requestDidStart() {
    return {
      async didResolveOperation({ schema, document, request, operationName }) {
        refuseUnfit(schema, document, operationName ?? undefined, request.variables ?? {});
      },
    };
  },
};
