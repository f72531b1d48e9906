import type { ApolloServerPlugin } from '@apollo/server';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Operation } from '../operation/operation.js';
import { isPersisted, type PersistedOperations } from './persisted-operations.js';

export interface OperationContext {
  readonly operation: Operation;
}

/** Refuses subscriptions, and ends the operation's read transactions with its answer, whatever became of it. */
export const operationPlugin: ApolloServerPlugin<OperationContext> = {
  async requestDidStart() {
    return {
      async didResolveOperation({ operation }) {
        if (operation?.operation === OperationTypeNode.SUBSCRIPTION) throw new GraphQLError('Subscriptions go by the socket, not by HTTP.', { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });
      },
      async willSendResponse({ contextValue, operationName }) {
        await contextValue.operation.finish(operationName ?? null);
      },
    };
  },
};

/** In production a browser's session runs the console's own operations; a token runs any within the limits. */
export const createPersistedPlugin = (operations: PersistedOperations): ApolloServerPlugin<OperationContext> => ({
  async requestDidStart({ contextValue }) {
    return {
      async didResolveOperation({ source }) {
        if (contextValue.operation.viewer?.kind === 'token' || isPersisted(operations, source ?? '')) return;
        throw new GraphQLError("Sessions run the console's operations only. Use a service token for operations of your own.", { extensions: { code: 'PERSISTED_OPERATION_NEEDED', http: { status: 400 } } });
      },
    };
  },
});
