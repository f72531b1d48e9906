import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { ViewerService, type Mailing } from '@kilotoken/people';
import { createSignIn, createSignInPool, type SignIn } from '@kilotoken/people/sign-in';
import { createKeyring, type ControlPool, type Keyring, type Platform } from '@kilotoken/platform';
import { databasePool } from '@kilotoken/platform/process';
import type { Pool } from 'pg';
import type { ApiSettings } from '../config.js';

/** Connections that become `kilotoken_sign_in`. Not many: passwords are hashed between their statements. */
const connectionsMax = 5;

/** The pool that reads passwords and sessions, and nothing else does. */
export const signInPool = Symbol('the pool of sign-in');
export const signInService = Symbol('sign-in by better-auth');
/** @public Mutations of webhooks inject it. */
export const keyring = Symbol('the keys of stored secrets');
/**
 * How mails to people are made: `inviteMember` takes it.
 * @public Mutations of invitations inject it.
 */
export const mailing = Symbol('mails to people');

/** Tells who asks (`ViewerService`), and lets people in. */
@Module({})
export class SignInModule implements OnApplicationShutdown {
  static compose({ name, settings, logger }: Platform<ApiSettings>): DynamicModule {
    const publicUrl = settings.API_PUBLIC_URL;
    return {
      module: SignInModule,
      global: true,
      providers: [
        { provide: keyring, useFactory: () => createKeyring(settings.KILOTOKEN_SECRET_KEY) },
        {
          provide: signInPool,
          useFactory: () =>
            createSignInPool({ connectionString: settings.APP_DATABASE_URL, max: connectionsMax, applicationName: `${name} sign-in`, onIdleError: (error) => logger.warn({ event: 'database.connection_lost', error }) }),
        },
        { provide: mailing, inject: [keyring], useFactory: (keys: Keyring): Mailing => ({ keyring: keys, publicUrl }) },
        { provide: signInService, inject: [signInPool, keyring], useFactory: (pool: ControlPool, keys: Keyring): SignIn => createSignIn(pool, { keyring: keys, publicUrl }) },
        { provide: ViewerService, inject: [databasePool, keyring], useFactory: (pool: Pool, keys: Keyring) => new ViewerService(pool, keys, publicUrl) },
      ],
      exports: [keyring, mailing, signInPool, signInService, ViewerService],
    };
  }

  constructor(@Inject(signInPool) private readonly pool: ControlPool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
