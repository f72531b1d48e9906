import { Module, type DynamicModule } from '@nestjs/common';
import { DatabaseModule, type Platform } from '@kilotoken/platform';
import type { BackofficeSettings } from './config.js';

/** Queued work: for now it can tell whether it could work, and nothing else. */
@Module({})
export class BackofficeModule {
  static compose({ name, settings, logger }: Platform<BackofficeSettings>): DynamicModule {
    return {
      module: BackofficeModule,
      imports: [DatabaseModule.compose({ connectionString: settings.APP_DATABASE_URL, max: databaseConnectionsMax, applicationName: name, logger })],
    };
  }
}

const databaseConnectionsMax = 5;
