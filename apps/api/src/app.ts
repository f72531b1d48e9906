import type { AppDefinition } from '@kilotoken/platform';
import { databaseReadiness } from '@kilotoken/platform/process';
import { ApiModule } from './api.module.js';
import { readApiSettings, type ApiSettings } from './config.js';

/** The api as a process: its face is public, so its metrics stand on a port of their own. */
export const apiApp: AppDefinition<ApiSettings> = {
  name: 'api',
  face: 'public',
  readSettings: readApiSettings,
  listen: ({ API_PORT, API_METRICS_PORT }) => ({
    port: API_PORT,
    portSetting: 'API_PORT',
    metrics: { port: API_METRICS_PORT, portSetting: 'API_METRICS_PORT' },
  }),
  module: (platform) => ApiModule.compose(platform),
  wire: ({ app }) => ({ readiness: [databaseReadiness(app)] }),
};
