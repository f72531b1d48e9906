import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { getOperationAST, GraphQLError, OperationTypeNode, parse, specifiedRules, validate, type DocumentNode, type ExecutionArgs, type GraphQLSchema, type ValidationRule } from 'graphql';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL, type ServerOptions } from 'graphql-ws';
import { useServer, type Extra } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Operation } from '../operation/operation.js';
import { refuseUnfit } from '../server/cost.js';
import { graphqlPath } from '../server/face.js';
import { operationLimits } from '../server/limits.js';
import { isPersisted, type PersistedOperations } from '../server/persisted-operations.js';

const socketsMax = 500;
const subscriptionsPerSocketMax = 10;
const connectionInitMs = 5_000;

export interface SocketParts {
  readonly schema: GraphQLSchema;
  readonly rules: readonly ValidationRule[];
  readonly isProduction: boolean;
  readonly persisted: PersistedOperations;
  /** Origins of pages that may connect beside those of the same host. */
  readonly origins: ReadonlySet<string>;
  readonly operationFor: (headers: IncomingHttpHeaders, requestId: string, ip: string) => Promise<Operation>;
  readonly formatError: (error: GraphQLError) => { readonly message: string; readonly extensions?: Record<string, unknown> };
}

type Context = { readonly operation: Operation };

/** A page of another site must not connect with the viewer's cookie: browsers do not ask first, as they do for requests. */
const comesFromElsewhere = ({ headers: { origin, host } }: IncomingMessage, origins: ReadonlySet<string>): boolean =>
  origin !== undefined && !origins.has(origin.toLowerCase()) && (!URL.canParse(origin) || new URL(origin).host !== host);

/** The headers that tell who asks: a program without a browser may send its token in the first message. */
const headersOf = ({ headers }: IncomingMessage, params: Readonly<Record<string, unknown>> | undefined): IncomingHttpHeaders => {
  const authorization = params?.['authorization'];
  return typeof authorization === 'string' ? { ...headers, authorization } : headers;
};

/** Subscriptions at the address of GraphQL, by the protocol of graphql-ws. Queries and mutations go by HTTP. */
export const serveSockets = (server: Server, parts: SocketParts): (() => Promise<void>) => {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: operationLimits.bodyBytesMax, handleProtocols: (protocols) => (protocols.has(GRAPHQL_TRANSPORT_WS_PROTOCOL) ? GRAPHQL_TRANSPORT_WS_PROTOCOL : false) });
  const running = new WeakMap<object, number>();
  const count = (extra: object, change: number): number => {
    const next = (running.get(extra) ?? 0) + change;
    running.set(extra, next);
    return next;
  };
  const options: ServerOptions<Record<string, unknown>, Extra> = {
    schema: parts.schema,
    connectionInitWaitTimeout: connectionInitMs,
    onConnect: async ({ extra: { request }, connectionParams }) => {
      const operation = await parts.operationFor(headersOf(request, connectionParams), 'socket', request.socket.remoteAddress ?? '');
      return operation.viewer !== null;
    },
    onSubscribe: async ({ extra, connectionParams }, _id, payload) => {
      if ((running.get(extra) ?? 0) >= subscriptionsPerSocketMax) return [new GraphQLError(`A socket has at most ${subscriptionsPerSocketMax} subscriptions.`, { extensions: { code: 'TOO_MANY_REQUESTS' } })];
      const operation = await parts.operationFor(headersOf(extra.request, connectionParams), 'socket', extra.request.socket.remoteAddress ?? '');
      return prepare(parts, operation, payload);
    },
    onOperation: ({ extra }) => void count(extra, 1),
    onNext: async (_context, _id, _payload, args, result) => {
      await (args.contextValue as Context).operation.close();
      return result.errors ? { ...result, errors: result.errors.map((error) => toldOf(parts, error)) } : undefined;
    },
    onError: (_context, _id, _payload, errors) => errors.map((error) => toldOf(parts, error)),
    onComplete: ({ extra }) => void count(extra, -1),
  };
  const disposable = useServer(options, sockets);
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const refuse = (status: string): void => void socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    if (request.url?.split('?', 1)[0] !== graphqlPath) return refuse('404 Not Found');
    if (comesFromElsewhere(request, parts.origins)) return refuse('403 Forbidden');
    if (sockets.clients.size >= socketsMax) return refuse('503 Service Unavailable');
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
  };
  server.on('upgrade', onUpgrade);
  return async () => {
    server.off('upgrade', onUpgrade);
    await disposable.dispose();
  };
};

const readDocument = (text: string): DocumentNode | null => {
  try {
    return parse(text, { maxTokens: operationLimits.tokensMax });
  } catch {
    // Refused by the caller.
    return null;
  }
};

/** An error as its caller is told of it. */
const toldOf = ({ formatError }: SocketParts, error: unknown): GraphQLError => {
  const { message, extensions } = formatError(error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error }));
  return new GraphQLError(message, { extensions: extensions ?? {} });
};

const prepare = ({ schema, rules, isProduction, persisted }: SocketParts, operation: Operation, payload: { query: string; operationName?: string | null | undefined; variables?: Record<string, unknown> | null | undefined }): ExecutionArgs | GraphQLError[] => {
  const refused = (message: string, code: string): GraphQLError[] => [new GraphQLError(message, { extensions: { code } })];
  try {
    if (isProduction && operation.viewer?.kind !== 'token' && !isPersisted(persisted, payload.query)) return refused("Sessions run the console's operations only.", 'PERSISTED_OPERATION_NEEDED');
    const document = readDocument(payload.query);
    if (document === null) return refused('The operation cannot be read, or is too long.', 'GRAPHQL_PARSE_FAILED');
    const faults = validate(schema, document, [...specifiedRules, ...rules]);
    if (faults.length > 0) return refused(isProduction ? 'The operation is not valid.' : faults[0]!.message, 'GRAPHQL_VALIDATION_FAILED');
    const variableValues = payload.variables ?? {};
    if (getOperationAST(document, payload.operationName)?.operation !== OperationTypeNode.SUBSCRIPTION) return refused('The socket takes subscriptions alone.', 'BAD_REQUEST');
    refuseUnfit(schema, document, payload.operationName ?? undefined, variableValues);
    return { schema, document, operationName: payload.operationName ?? null, variableValues, contextValue: { operation } satisfies Context };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
};
