import { Module, type DynamicModule } from '@nestjs/common';
import type { Platform } from '@kilotoken/platform';
import { DatabaseModule } from '@kilotoken/platform/process';
import type { ApiSettings } from './config.js';

/** Tells whether this process could work. It serves nothing else. */
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
