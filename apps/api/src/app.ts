import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AppDefinition } from '@kilotoken/platform';
import { databaseReadiness } from '@kilotoken/platform/process';
import { ApiModule, type ApiParts } from './api.module.js';
import { readApiSettings, type ApiSettings } from './config.js';
import { registerConsoleFace } from './console/console.face.js';
import { registerGraphqlFace } from './graphql/server/face.js';
import { readPersistedOperations } from './graphql/server/persisted-operations.js';

const consoleFolder = fileURLToPath(new URL('../../console/dist', import.meta.url));
const persistedFile = join(consoleFolder, 'persisted-operations.json');

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
  module: (platform) => {
    return ApiModule.compose(platform, parts);
  },
  wire: async ({ app, fastify, platform }) => {
    registerGraphqlFace(fastify, { origins: platform.settings.API_CORS_ORIGINS ?? new Set(), persisted: parts.persisted });
    await registerConsoleFace(fastify, { folder: consoleFolder, gatewayUrl: platform.settings.API_GATEWAY_URL });
    return { readiness: [databaseReadiness(app)] };
  },
});

/** Nobody can sign in yet. */
export const apiApp = createApiApp({ persisted: readPersistedOperations(persistedFile), resolveViewer: async () => null });
