import { Module, type DynamicModule } from '@nestjs/common';
import type { Platform } from '@kilotoken/platform';
import { DatabaseModule } from '@kilotoken/platform/process';
import type { ApiSettings } from './config.js';
import { GraphqlModule, type ResolveViewer } from './graphql/graphql.module.js';
import type { PersistedOperations } from './graphql/server/persisted-operations.js';

export interface ApiParts {
  readonly persisted: PersistedOperations;
  readonly resolveViewer: ResolveViewer;
}

/** The control plane for people and programs. */
@Module({})
export class ApiModule {
  static compose({ name, settings, logger }: Platform<ApiSettings>, parts: ApiParts): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        DatabaseModule.compose({ connectionString: settings.APP_DATABASE_URL, max: databaseConnectionsMax, applicationName: name, logger }),
        GraphqlModule.compose({ ...parts, logger, isProduction: settings.KILOTOKEN_MODE === 'production' }),
      ],
    };
  }
}

/** An operation reads with one connection, or with two where it reads as staff too. */
const databaseConnectionsMax = 16;
