import { databaseReadiness, type AppDefinition } from '@kilotoken/platform';
import { BackofficeModule } from './backoffice.module.js';
import { readBackofficeSettings, type BackofficeSettings } from './config.js';

/** The backoffice as a process: nobody outside talks to it, so all of its face but health needs the internal token. */
export const backofficeApp: AppDefinition<BackofficeSettings> = {
  name: 'backoffice',
  face: 'internal',
  readSettings: readBackofficeSettings,
  listen: ({ BACKOFFICE_PORT }) => ({ port: BACKOFFICE_PORT, portSetting: 'BACKOFFICE_PORT' }),
  module: (platform) => BackofficeModule.compose(platform),
  wire: ({ app }) => ({ readiness: [databaseReadiness(app)] }),
};
