import { QueueWatchService } from '@kilotoken/events';
import { databaseLifeline, type AppDefinition } from '@kilotoken/platform';
import { databaseReadiness } from '@kilotoken/platform/process';
import type { QueueStore } from '@kilotoken/platform/queue';
import { BackofficeModule, queueStore } from './backoffice.module.js';
import { readBackofficeSettings, type BackofficeSettings } from './config.js';

/** The backoffice as a process. It has no callers outside, so all of its face but health needs the internal token. */
export const backofficeApp: AppDefinition<BackofficeSettings> = {
  name: 'backoffice',
  face: 'internal',
  readSettings: readBackofficeSettings,
  listen: ({ BACKOFFICE_PORT }) => ({ port: BACKOFFICE_PORT, portSetting: 'BACKOFFICE_PORT' }),
  module: (platform) => BackofficeModule.compose(platform),
  wire: ({ app, platform: { name, settings } }) => {
    const backoffice = app.get(BackofficeModule);
    const queues = app.get<QueueStore>(queueStore);
    const watch = app.get(QueueWatchService);
    backoffice.start();
    return {
      readiness: [databaseReadiness(app), { name: 'queue', check: () => queues.check() }, { name: 'jobs', check: () => watch.check() }],
      drain: () => backoffice.drain(),
      lifeline: databaseLifeline(settings.APP_DATABASE_URL, name),
    };
  },
};
