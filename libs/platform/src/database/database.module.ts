import { Inject, Module, type DynamicModule, type INestApplicationContext, type OnApplicationShutdown } from '@nestjs/common';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { assertDurable, assertRowSecurityBinds } from './database.durability.js';
import { createPool, type PoolSettings } from './database.js';
import type { ReadinessCheck } from '../http/health.js';

/** The process's one pool, for `@Inject(databasePool)`. */
export const databasePool = Symbol('the pool of the application role');

export interface DatabaseModuleSettings extends Omit<PoolSettings, 'onIdleError'> {
  readonly logger: Logger;
}

@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  static compose({ logger, ...settings }: DatabaseModuleSettings): DynamicModule {
    const onIdleError = (error: Error): void => logger.warn({ event: 'database.connection_lost', error });
    return {
      module: DatabaseModule,
      global: true,
      providers: [{ provide: databasePool, useFactory: () => createPool({ ...settings, onIdleError }) }],
      exports: [databasePool],
    };
  }

  constructor(@Inject(databasePool) private readonly pool: Pool) {}

  /** Runs after the last request has ended and the port is closed. */
  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}

/** Ready only with a database that answers, that keeps what it confirms, and that holds this role to its organization. */
export const databaseReadiness = (app: INestApplicationContext): ReadinessCheck => {
  const pool = app.get<Pool>(databasePool);
  return {
    name: 'database',
    check: async () => {
      await assertDurable(pool);
      await assertRowSecurityBinds(pool);
    },
  };
};
