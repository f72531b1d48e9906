import type { DatabaseService } from '@kilotoken/platform';

/** The setting for each service's login, for processes that know several. A service knows its own login as `APP_DATABASE_URL`. */
export const serviceUrlSettings = {
  gateway: 'GATEWAY_DATABASE_URL',
  metering: 'METERING_DATABASE_URL',
  backoffice: 'BACKOFFICE_DATABASE_URL',
  api: 'API_DATABASE_URL',
} as const satisfies Record<DatabaseService, string>;
