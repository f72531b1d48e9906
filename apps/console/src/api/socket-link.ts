import { ApolloLink, Observable } from '@apollo/client';
import { print } from 'graphql/language/printer.js';
import type { Client } from 'graphql-ws';

let client: Promise<Client> | null = null;

const connect = (): Promise<Client> => {
  client ??= import('graphql-ws').then(({ createClient }) =>
    createClient({ url: `${location.origin.replace(/^http/, 'ws')}/graphql`, lazy: true, lazyCloseTimeout: 10_000, retryAttempts: Infinity, shouldRetry: () => true }),
  );
  return client;
};

/** Subscriptions over one socket, whose code is loaded and which is opened when the first page listens. */
export const lazySocketLink = (): ApolloLink =>
  new ApolloLink(
    (operation) =>
      new Observable((observer) => {
        let stop = (): void => undefined;
        let stopped = false;
        const listen = (socket: Client): void => {
          if (stopped) return;
          const request = { query: print(operation.query), variables: operation.variables, operationName: operation.operationName };
          stop = socket.subscribe(request, {
            next: (result) => observer.next(result as ApolloLink.Result),
            error: (error) => observer.error(error),
            complete: () => observer.complete(),
          });
        };
        connect().then(listen, (error: unknown) => observer.error(error));
        return () => {
          stopped = true;
          stop();
        };
      }),
  );
