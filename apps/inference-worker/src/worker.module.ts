import { Module, type DynamicModule } from '@nestjs/common';
import type { Platform } from '@kilotoken/platform';
import type { WorkerSettings } from './config.js';
import { EnginesService } from './engines.service.js';

/** Batches requests onto engines. The model is loaded here: the port opens when it can answer. */
@Module({})
export class WorkerModule {
  static compose(platform: Platform<WorkerSettings>): DynamicModule {
    return { module: WorkerModule, providers: [{ provide: EnginesService, useFactory: async () => EnginesService.open(platform) }] };
  }
}
