import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module, type DynamicModule } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { WebhookGuard } from '@kilotoken/events';
import { ViewerService } from '@kilotoken/people';
import { readAs, readAsStaff, type ControlPool, type Keyring } from '@kilotoken/platform';
import { databasePool } from '@kilotoken/platform/process';
import type { FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { ChangeAccess } from './operation/changes.js';
import { Operation, type Asking, type ReadAccess } from './operation/operation.js';
import { ControlClients, nobody } from './operation/control-clients.js';
import { gatewayUrl } from './playground/playground.resolver.js';
import { LiveService } from './live/live.service.js';
import { preparing } from './operation/prepared.js';
import { ReadLog } from './operation/read-log.js';
import { resolvers } from './resolvers.js';
import { keyring } from '../sign-in/sign-in.module.js';
import { createErrorFormatter } from './server/caller-errors.js';
import { costPlugin } from './server/cost.js';
import { graphqlPath } from './server/face.js';
import { armorPlugins, validationRules } from './server/hardening.js';
import { operationLimits } from './server/limits.js';
import { createPersistedPlugin, operationPlugin, type OperationContext } from './server/operation.plugin.js';
import type { PersistedOperations } from './server/persisted-operations.js';

/** Nobody is a viewer of null. */
export type ResolveViewer = (headers: IncomingHttpHeaders) => Promise<Asking>;

export interface GraphqlSettings {
  readonly isProduction: boolean;
  readonly persisted: PersistedOperations;
  readonly logger: Logger;
  readonly databaseUrl: string;
  readonly gatewayUrl: string;
  /** Webhooks may go by http and to this machine: for development. */
  readonly allowPrivateWebhooks: boolean;
  /** Null: by a session's cookie or a service token. */
  readonly resolveViewer: ResolveViewer | null;
}

/** Makes the operation of one request or subscription. */
export type OperationFor = (headers: IncomingHttpHeaders, requestId: string, ip: string) => Promise<Operation>;
export const operationFor = Symbol('the maker of operations');

const applicationName = 'api changes';

/** The parts of operations: the viewer, reads with the process's pool, changes with a client of their own. */
@Module({})
class OperationModule {
  static compose({ databaseUrl, resolveViewer }: GraphqlSettings): DynamicModule {
    return {
      module: OperationModule,
      providers: [
        { provide: ControlClients, useFactory: () => new ControlClients(databaseUrl, applicationName) },
        {
          provide: operationFor,
          inject: [databasePool, ControlClients, keyring, ViewerService],
          useFactory: (pool: Pool, clients: ControlClients, seal: Keyring, viewers: ViewerService): OperationFor => {
            const resolve = resolveViewer ?? askThrough(viewers);
            const control: ControlPool = Object.assign(Object.create(pool) as Pool, { actor: nobody });
            const changes: ChangeAccess = { client: () => clients.get(), pool: control, seal, readLog: new ReadLog(control) };
            return async (headers, requestId, ip) => {
              const ask = (): Promise<Asking> => resolve(headers);
              return new Operation(await ask(), { requestId, ip }, accessThrough(pool), changes, ask);
            };
          },
        },
      ],
      exports: [operationFor],
    };
  }
}

/** GraphQL at `/graphql`. */
@Module({})
export class GraphqlModule {
  static compose(settings: GraphqlSettings): DynamicModule {
    const operations = OperationModule.compose(settings);
    return {
      module: GraphqlModule,
      imports: [
        operations,
        GraphQLModule.forRootAsync<ApolloDriverConfig>({ driver: ApolloDriver, imports: [operations], inject: [operationFor], useFactory: (make: OperationFor) => serverOptions(settings, make) }),
      ],
      providers: [
        ...resolvers,
        { provide: WebhookGuard, useFactory: () => new WebhookGuard({ allowPrivate: settings.allowPrivateWebhooks }) },
        { provide: gatewayUrl, useValue: settings.gatewayUrl },
        { provide: LiveService, inject: [databasePool], useFactory: (pool: Pool) => new LiveService(pool, settings.logger) },
      ],
      exports: [operations, LiveService],
    };
  }
}

const askThrough =
  (viewers: ViewerService): ResolveViewer =>
  async (headers) => {
    const found = await viewers.resolve(headers);
    return { viewer: found?.viewer ?? null, sessionId: found?.session?.sessionId ?? null };
  };

const accessThrough = (pool: Pool): ReadAccess => ({
  asOrganizations: (organizationIds) => (read) => readAs(pool, { organizationIds }, (db) => read(preparing(db))),
  asStaff: (read) => readAsStaff(pool, (db) => read(preparing(db))),
});

const serverOptions = ({ isProduction, persisted, logger }: GraphqlSettings, make: OperationFor): ApolloDriverConfig => ({
  path: graphqlPath,
  autoSchemaFile: true,
  sortSchema: true,
  graphiql: false,
  introspection: !isProduction,
  includeStacktraceInErrorResponses: false,
  hideSchemaDetailsFromClientErrors: true,
  csrfPrevention: true,
  allowBatchedHttpRequests: false,
  persistedQueries: false,
  parseOptions: { maxTokens: operationLimits.tokensMax },
  validationRules: validationRules(isProduction),
  // Answers are never cached, and the plugin that would tell for how long looks at every field.
  plugins: [ApolloServerPluginCacheControlDisabled(), ...armorPlugins, costPlugin, operationPlugin, ...(isProduction ? [createPersistedPlugin(persisted)] : [])],
  formatError: createErrorFormatter(logger),
  context: async (request: FastifyRequest): Promise<OperationContext> => ({ operation: await make(request.headers, request.id, request.ip) }),
});
