import type { DatabaseService, Environment } from '@kilotoken/platform';
import { serviceUrlSettings } from '../service-urls.js';
import type { AppSpec } from './app-process.js';
import type { Home } from './home.js';
import type { Secrets } from './secrets.js';
import type { LauncherSettings, PortSetting } from './settings.js';

/** The processes of an installation, and their settings. */
interface AppDefinition {
  name: string;
  port: PortSetting;
  metricsPort?: PortSetting;
  /** Node's own flags. */
  nodeFlags?: readonly string[];
  /** The order of stopping: public faces drain first, the services that they need stop after them. */
  stopsIn: 'first' | 'second';
}

/** Requests in flight allocate more than V8's default of 16 MB for young objects; with twice the room V8 copies them half as often. */
export const gatewayNodeFlags = ['--max-semi-space-size=32'];

export const apps: readonly AppDefinition[] = [
  { name: 'gateway', port: 'GATEWAY_PORT', metricsPort: 'GATEWAY_METRICS_PORT', nodeFlags: gatewayNodeFlags, stopsIn: 'first' },
  { name: 'api', port: 'API_PORT', metricsPort: 'API_METRICS_PORT', stopsIn: 'first' },
  { name: 'metering', port: 'METERING_PORT', stopsIn: 'second' },
  { name: 'backoffice', port: 'BACKOFFICE_PORT', stopsIn: 'second' },
  { name: 'inference-worker', port: 'WORKER_PORT', stopsIn: 'second' },
];

export interface AppContext {
  settings: LauncherSettings;
  secrets: Secrets;
  home: Home;
  serviceUrls: Readonly<Record<DatabaseService, string>>;
  /** Only for the process that proves the books each night. */
  auditDatabaseUrl: string | null;
  /** The GGUF file to serve, when there is one. */
  modelPath: string | null;
  /** The launcher's own environment: lanes name variables of it that hold vendors' keys. */
  environment: Environment;
}

export function describeApp(app: AppDefinition, context: AppContext): AppSpec {
  const { settings, secrets, home, serviceUrls, auditDatabaseUrl, modelPath, environment } = context;
  const ports = [app.port, app.metricsPort].flatMap((name) => (name ? [[name, String(settings[name])]] : []));
  return {
    name: app.name,
    nodeFlags: app.nodeFlags ?? [],
    origin: originOf(settings, app.port),
    environment: {
      ...environment,
      // The owner's login is for migrations and the command line; applications must not know it.
      DATABASE_URL: undefined,
      CONTROL_DATABASE_URL: undefined,
      NODE_ENV: 'production',
      ...(Object.fromEntries(ports) as Record<string, string>),
      HOST: settings.HOST,
      INTERNAL_TOKEN: secrets.internalToken,
      ...Object.fromEntries(Object.values(serviceUrlSettings).map((name) => [name, undefined])),
      // Its own login. The inference worker uses no database and gets the login with the fewest rights.
      APP_DATABASE_URL: serviceUrls[app.name in serviceUrls ? (app.name as DatabaseService) : 'api'],
      AUDIT_DATABASE_URL: app.name === 'backoffice' ? (auditDatabaseUrl ?? undefined) : undefined,
      REDIS_URL: settings.REDIS_URL,
      // The two that open stored secrets.
      KILOTOKEN_SECRET_KEY: app.name === 'api' || app.name === 'backoffice' ? secretKeysOf(context).join(',') : undefined,
      API_PUBLIC_URL: app.name === 'api' ? publicUrlOf(settings) : undefined,
      CORS_ORIGINS: app.name === 'gateway' ? corsOriginsOf(context) : undefined,
      KILOTOKEN_HOME: home.folder,
      KILOTOKEN_MODEL_PATH: modelPath ?? undefined,
      KILOTOKEN_GPU: settings.KILOTOKEN_GPU,
      WORKER_CONTEXT_TOKENS: String(settings.WORKER_CONTEXT_TOKENS),
      DRAIN_MS: String(settings.DRAIN_MS),
      LOG_LEVEL: settings.LOG_LEVEL,
      API_GATEWAY_URL: environment['API_GATEWAY_URL'] ?? gatewayUrlOf(settings),
    },
  };
}

/** Base URL for SDKs on this machine. */
export const gatewayUrlOf = (settings: LauncherSettings): string => `${originOf(settings, 'GATEWAY_PORT')}/v1`;
/** The console's address in browsers. */
export const publicUrlOf = (settings: LauncherSettings): string => settings.API_PUBLIC_URL ?? originOf(settings, 'API_PORT');

/** The console's playground calls the gateway from the browser, so its origin stands beside those that the installation names. */
const corsOriginsOf = ({ settings, environment }: Pick<AppContext, 'settings' | 'environment'>): string => {
  const { origin } = new URL(publicUrlOf(settings));
  const named = environment['CORS_ORIGINS'];
  return named === '*' ? named : named ? `${named},${origin}` : origin;
};

/** The keys that encrypt stored secrets, the present one first: the installation's own, unless its settings name others. */
export const secretKeysOf = ({ settings, secrets }: Pick<AppContext, 'settings' | 'secrets'>): readonly string[] => settings.KILOTOKEN_SECRET_KEY ?? secrets.secretKey.split(',');

/** The process's origin on this machine; loopback if it binds to every address. */
export function originOf(settings: LauncherSettings, port: PortSetting): string {
  const anyAddress: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const host = anyAddress[settings.HOST] ?? settings.HOST;
  return `http://${host.includes(':') ? `[${host}]` : host}:${settings[port]}`;
}
