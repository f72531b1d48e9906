import { Module, type DynamicModule } from '@nestjs/common';
import type { Platform } from '@kilotoken/platform';
import { DatabaseModule } from '@kilotoken/platform/process';
import type { ApiSettings } from './config.js';

/** Console and integrations: for now it can tell whether it could work, and nothing else. */
@Module({})
export class ApiModule {
  static compose({ name, settings, logger }: Platform<ApiSettings>): DynamicModule {
    return {
      module: ApiModule,
      imports: [DatabaseModule.compose({ connectionString: settings.APP_DATABASE_URL, max: databaseConnectionsMax, applicationName: name, logger })],
    };
  }
}

const databaseConnectionsMax = 5;
