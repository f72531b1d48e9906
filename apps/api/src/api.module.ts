import { Module, type DynamicModule } from '@nestjs/common';
import type { Platform } from '@kilotoken/platform';
import { DatabaseModule } from '@kilotoken/platform/process';
import type { ApiSettings } from './config.js';
import { GraphqlModule, type ResolveViewer } from './graphql/graphql.module.js';
import type { PersistedOperations } from './graphql/server/persisted-operations.js';
import { SignInModule } from './sign-in/sign-in.module.js';

export interface ApiParts {
  readonly persisted: PersistedOperations;
  /** Null: by a session's cookie or a service token. */
  readonly resolveViewer: ResolveViewer | null;
}

/** The control plane for people and programs. */
@Module({})
export class ApiModule {
  static compose(platform: Platform<ApiSettings>, parts: ApiParts): DynamicModule {
    const { name, settings, logger } = platform;
    return {
      module: ApiModule,
      imports: [
        DatabaseModule.compose({ connectionString: settings.APP_DATABASE_URL, max: databaseConnectionsMax, applicationName: name, logger }),
        SignInModule.compose(platform),
        GraphqlModule.compose({
          ...parts, logger, isProduction: settings.KILOTOKEN_MODE === 'production', databaseUrl: settings.APP_DATABASE_URL, gatewayUrl: settings.API_GATEWAY_URL,
          allowPrivateWebhooks: settings.WEBHOOK_ALLOW_PRIVATE,
        }),
      ],
    };
  }
}

/** An operation reads with one connection, or with two where it reads as staff too. */
const databaseConnectionsMax = 16;
