import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ViewerService } from '@kilotoken/people';
import type { SignIn } from '@kilotoken/people/sign-in';
import type { AppDefinition, ControlPool } from '@kilotoken/platform';
import { databaseReadiness } from '@kilotoken/platform/process';
import { ApiModule, type ApiParts } from './api.module.js';
import { readApiSettings, type ApiSettings } from './config.js';
import { registerConsoleFace } from './console/console.face.js';
import { serveSubscriptions } from './graphql/live/serve-subscriptions.js';
import { registerGraphqlFace } from './graphql/server/face.js';
import { readPersistedOperations } from './graphql/server/persisted-operations.js';
import { registerSignInFace } from './sign-in/sign-in.face.js';
import { signInPool, signInService } from './sign-in/sign-in.module.js';

const consoleFolder = fileURLToPath(new URL('../../console/dist', import.meta.url));
/** The operations of the console's build. */
export const persistedFile = join(consoleFolder, 'persisted-operations.json');

/** The api as a process: its face is public, so its metrics stand on a port of their own. */
export const createApiApp = (parts: ApiParts): AppDefinition<ApiSettings> => ({
  name: 'api',
  face: 'public',
  readSettings: readApiSettings,
  listen: ({ API_PORT, API_METRICS_PORT }) => ({
    port: API_PORT,
    portSetting: 'API_PORT',
    metrics: { port: API_METRICS_PORT, portSetting: 'API_METRICS_PORT' },
  }),
  module: (platform) => ApiModule.compose(platform, parts),
  wire: async ({ app, fastify, platform: { settings, logger } }) => {
    registerGraphqlFace(fastify, { origins: settings.API_CORS_ORIGINS ?? new Set(), persisted: parts.persisted });
    await registerSignInFace(fastify, {
      signIn: app.get<SignIn>(signInService),
      pool: app.get<ControlPool>(signInPool),
      viewers: app.get(ViewerService),
      publicUrl: settings.API_PUBLIC_URL,
      trustedProxies: settings.API_TRUSTED_PROXIES,
      logger,
    });
    await registerConsoleFace(fastify, { folder: consoleFolder, gatewayUrl: settings.API_GATEWAY_URL });
    serveSubscriptions(app, fastify, parts, settings, logger);
    return { readiness: [databaseReadiness(app)] };
  },
});

export const apiApp = createApiApp({ persisted: readPersistedOperations(persistedFile), resolveViewer: null });
