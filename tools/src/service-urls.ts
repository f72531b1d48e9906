import type { DatabaseService } from '@kilotoken/platform';

/** Which setting names the login of which service, where one process knows several of them. A service itself knows its own as `APP_DATABASE_URL`. */
export const serviceUrlSettings = {
  gateway: 'GATEWAY_DATABASE_URL',
  metering: 'METERING_DATABASE_URL',
  backoffice: 'BACKOFFICE_DATABASE_URL',
  api: 'API_DATABASE_URL',
} as const satisfies Record<DatabaseService, string>;
