import type { DatabaseService, Environment } from '@kilotoken/platform';
import { serviceUrlSettings } from '../service-urls.js';
import type { AppSpec } from './app-process.js';
import type { Home } from './home.js';
import type { Secrets } from './secrets.js';
import type { LauncherSettings, PortSetting } from './settings.js';

/** The processes of an installation, and what each is told. */
interface AppDefinition {
  name: string;
  port: PortSetting;
  metricsPort?: PortSetting;
  /** Node's own flags. */
  nodeFlags?: readonly string[];
  /** When the launcher stops: the public faces drain first, and what they need outlives them. */
  stopsIn: 'first' | 'second';
}

/** What requests in flight allocate outgrows V8's default of 16 MB for young objects: with twice the room they are copied half as often. */
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
  /** For the process that proves the books each night, and no other. */
  auditDatabaseUrl: string | null;
  /** The GGUF file to serve, when there is one. */
  modelPath: string | null;
  /** What the launcher itself was started with: lanes name variables of it that hold vendors' keys. */
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
      // The owner's login is for migrations and the command line; an application must not even know it.
      DATABASE_URL: undefined,
      CONTROL_DATABASE_URL: undefined,
      NODE_ENV: 'production',
      ...(Object.fromEntries(ports) as Record<string, string>),
      HOST: settings.HOST,
      INTERNAL_TOKEN: secrets.internalToken,
      ...Object.fromEntries(Object.values(serviceUrlSettings).map((name) => [name, undefined])),
      // Its own login. The inference worker reads no database, and is told the one that may do nothing.
      APP_DATABASE_URL: serviceUrls[app.name in serviceUrls ? (app.name as DatabaseService) : 'api'],
      AUDIT_DATABASE_URL: app.name === 'backoffice' ? (auditDatabaseUrl ?? undefined) : undefined,
      REDIS_URL: settings.REDIS_URL,
      KILOTOKEN_HOME: home.folder,
      KILOTOKEN_MODEL_PATH: modelPath ?? undefined,
      KILOTOKEN_GPU: settings.KILOTOKEN_GPU,
      WORKER_CONTEXT_TOKENS: String(settings.WORKER_CONTEXT_TOKENS),
      DRAIN_MS: String(settings.DRAIN_MS),
      LOG_LEVEL: settings.LOG_LEVEL,
    },
  };
}

/** Where this machine reaches the process: what binds to every address is reached on the loopback one. */
export function originOf(settings: LauncherSettings, port: PortSetting): string {
  const anyAddress: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const host = anyAddress[settings.HOST] ?? settings.HOST;
  return `http://${host.includes(':') ? `[${host}]` : host}:${settings[port]}`;
}
