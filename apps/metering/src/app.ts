import { readRatingLag } from '@kilotoken/metering';
import { databaseLifeline, type AppDefinition } from '@kilotoken/platform';
import { databasePool, databaseReadiness } from '@kilotoken/platform/process';
import type { Pool } from 'pg';
import { readMeteringSettings, type MeteringSettings } from './config.js';
import { MeteringModule } from './metering.module.js';

export const meteringApp: AppDefinition<MeteringSettings> = {
  name: 'metering',
  face: 'internal',
  readSettings: readMeteringSettings,
  listen: ({ METERING_PORT }) => ({ port: METERING_PORT, portSetting: 'METERING_PORT' }),
  module: (platform) => MeteringModule.compose(platform),
  wire: ({ app, platform }) => {
    const pool = app.get<Pool>(databasePool);
    const metering = app.get(MeteringModule);
    metering.start();
    return {
      readiness: [
        databaseReadiness(app),
        {
          name: 'rating',
          check: async () => {
            const { oldestSeconds, batches } = await readRatingLag(pool);
            if (oldestSeconds * 1_000 > platform.settings.RATING_LAG_MS_MAX) throw new Error(`${batches} flushes wait, the oldest for ${oldestSeconds} s`);
          },
        },
      ],
      drain: () => metering.drain(),
      lifeline: databaseLifeline(platform.settings.APP_DATABASE_URL, platform.name),
    };
  },
};
