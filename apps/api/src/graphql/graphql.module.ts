import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module, type DynamicModule } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import type { Viewer } from '@kilotoken/access';
import { ViewerService } from '@kilotoken/people';
import { readAs, readAsStaff } from '@kilotoken/platform';
import { databasePool } from '@kilotoken/platform/process';
import type { FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { Operation, type ReadAccess } from './operation/operation.js';
import { resolvers } from './resolvers.js';
import { createErrorFormatter } from './server/caller-errors.js';
import { costPlugin } from './server/cost.js';
import { graphqlPath } from './server/face.js';
import { armorPlugins, validationRules } from './server/hardening.js';
import { operationLimits } from './server/limits.js';
import { createPersistedPlugin, operationPlugin, type OperationContext } from './server/operation.plugin.js';
import type { PersistedOperations } from './server/persisted-operations.js';

export type ResolveViewer = (headers: IncomingHttpHeaders) => Promise<Viewer | null>;

export interface GraphqlSettings {
  readonly isProduction: boolean;
  readonly persisted: PersistedOperations;
  readonly logger: Logger;
  /** Answers null where nobody is signed in. Null: by a session's cookie or a service token. */
  readonly resolveViewer: ResolveViewer | null;
}

/** GraphQL at `/graphql`. */
@Module({})
export class GraphqlModule {
  static compose(settings: GraphqlSettings): DynamicModule {
    return {
      module: GraphqlModule,
      imports: [
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: ApolloDriver,
          inject: [databasePool, ViewerService],
          useFactory: (pool: Pool, viewers: ViewerService) => serverOptions({ ...settings, resolveViewer: settings.resolveViewer ?? (async (headers) => (await viewers.resolve(headers))?.viewer ?? null) }, accessThrough(pool)),
        }),
      ],
      providers: [...resolvers],
    };
  }
}

const accessThrough = (pool: Pool): ReadAccess => ({
  asOrganizations: (organizationIds) => (read) => readAs(pool, { organizationIds }, read),
  asStaff: (read) => readAsStaff(pool, read),
});

const serverOptions = ({ isProduction, persisted, logger, resolveViewer }: GraphqlSettings & { readonly resolveViewer: ResolveViewer }, access: ReadAccess): ApolloDriverConfig => ({
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
  plugins: [...armorPlugins, costPlugin, operationPlugin, ...(isProduction ? [createPersistedPlugin(persisted)] : [])],
  formatError: createErrorFormatter(logger),
  context: async (request: FastifyRequest): Promise<OperationContext> => ({
    operation: new Operation(await resolveViewer(request.headers), { requestId: request.id, ip: request.ip }, access),
  }),
});
