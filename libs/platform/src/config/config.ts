import { isIP } from 'node:net';
import { z } from 'zod';

/**
 * Settings are environment variables. Each app parses them once with one zod schema whose keys are the variables' names.
 * Messages state the correct form and never repeat the value, which may be a secret.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables of libpq (Postgres 18, "Environment Variables") and those that node-postgres adds. node-postgres fills anything that a URL omits from
 * them, and treats a falsy option as omitted: PGSSLMODE=require or PGOPTIONS of somebody's shell would reach every connection of ours. Connections
 * must depend on their URL alone, so these variables are deleted from this process's environment before anything connects, and no child inherits them.
 */
const libpqVariables = [
  'PGHOST', 'PGHOSTADDR', 'PGPORT', 'PGDATABASE', 'PGUSER', 'PGPASSWORD', 'PGPASSFILE', 'PGPASS_NO_DEESCAPE', 'PGREQUIREAUTH', 'PGCHANNELBINDING', 'PGSERVICE', 'PGSERVICEFILE', 'PGOPTIONS',
  'PGAPPNAME', 'PGSSLMODE', 'PGREQUIRESSL', 'PGSSLNEGOTIATION', 'PGSSLCOMPRESSION', 'PGSSLCERT', 'PGSSLKEY', 'PGSSLKEYLOGFILE', 'PGSSLCERTMODE', 'PGSSLROOTCERT', 'PGSSLCRL', 'PGSSLCRLDIR', 'PGSSLSNI',
  'PGREQUIREPEER', 'PGSSLMINPROTOCOLVERSION', 'PGSSLMAXPROTOCOLVERSION', 'PGMINPROTOCOLVERSION', 'PGMAXPROTOCOLVERSION', 'PGGSSENCMODE', 'PGKRBSRVNAME', 'PGGSSLIB', 'PGGSSDELEGATION',
  'PGCONNECT_TIMEOUT', 'PGCLIENTENCODING', 'PGCLIENT_ENCODING', 'PGTARGETSESSIONATTRS', 'PGLOADBALANCEHOSTS', 'PGDATESTYLE', 'PGTZ', 'PGGEQO', 'PGSYSCONFDIR', 'PGLOCALEDIR', 'PGBINARY', 'PGREPLICATION',
  'NODE_PG_FORCE_NATIVE',
];
for (const name of libpqVariables) delete process.env[name];

/** The only place that reads the environment. */
export const readEnvironment = (): Environment => process.env;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(`${problems.length === 1 ? 'A setting is' : `${problems.length} settings are`} wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/** Parses all settings and throws one ConfigError with every problem. An empty variable counts as not set. */
export const parseConfig = <Schema extends z.ZodObject>(schema: Schema, environment: Environment): z.infer<Schema> => {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0] ?? 'settings');
      return `${name} ${name in given ? 'is wrong' : 'is not set'}: ${issue.message}`;
    }),
  );
};

/** A whole number within bounds, as plain digits. */
const wholeNumber = ({ fallback, min, max, unit = '' }: { fallback?: number; min: number; max: number; unit?: string }) => {
  const right = `must be a whole number ${unit ? `of ${unit} ` : ''}from ${min} to ${max}`;
  const digits = z
    .string({ error: right })
    .regex(/^\d{1,15}$/, right)
    .transform(Number)
    .refine((value) => value >= min && value <= max, right);
  // The default is text so that the input of every setting stays a string.
  return fallback === undefined ? digits : digits.prefault(String(fallback));
};

const port = (fallback: number) => wholeNumber({ fallback, min: 0, max: 65_535 });

const durationMs = (fallback: number, min: number, max: number) => wholeNumber({ fallback, min, max, unit: 'milliseconds' });

const sizeBytes = (fallback: number, min: number, max: number) => wholeNumber({ fallback, min, max, unit: 'bytes' });

const hostRight = 'must be an address or host name to bind to, such as 127.0.0.1 or 0.0.0.0';

/** The address to bind to; loopback by default. */
const host = () =>
  z
    .string()
    .refine((value) => isIP(value) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(value), hostRight)
    .prefault('127.0.0.1');

const tokenRight = 'must have 16 to 512 letters, digits or -._~+/= (for example the output of `openssl rand -hex 32`)';

/** The secret that opens every internal face. Its characters are those of a bearer token (RFC 6750 §2.1). */
const internalToken = () => z.string({ error: tokenRight }).regex(/^[A-Za-z0-9\-._~+/=]{16,512}$/, tokenRight);

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const logLevel = () => z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).prefault('info');

/** A path; unset means standard output. */
const logFile = () =>
  z.string().refine((value) => !value.endsWith('/') && !value.includes('\0'), 'must be the path of a file in an existing folder').optional();

const isDatabaseUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname } = new URL(text);
  return (protocol === 'postgres:' || protocol === 'postgresql:') && pathname.length > 1;
};

const databaseRight = 'must be an address such as postgresql://user:password@127.0.0.1:5432/kilotoken (special characters percent-encoded)';

const databaseUrl = () => z.string({ error: databaseRight }).refine(isDatabaseUrl, databaseRight);

const ratioRight = 'must be a number from 0 to 1, such as 0.01';

const ratio = (fallback: number) =>
  z
    .string()
    .regex(/^[01]?(\.\d{1,9})?$/, ratioRight)
    .transform(Number)
    .refine((value) => value <= 1, ratioRight)
    .prefault(String(fallback));

const originRight = 'must be the address of a collector without /v1/traces, such as http://127.0.0.1:4318';
const isHttpUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && !/[?#]/.test(text);

const collectorUrl = () => z.string().refine(isHttpUrl, originRight).optional();

const headersRight = 'must be pairs such as name=value, separated by commas';

/** Header fields in OpenTelemetry's form: spaces and commas are percent-encoded; any other ASCII byte may be. */
const headers = () =>
  z
    .string()
    .regex(/^[\w-]+=(%[2-7][\dA-Fa-f]|[\x21-\x24\x26-\x2b\x2d-\x7e])+(, *[\w-]+=(%[2-7][\dA-Fa-f]|[\x21-\x24\x26-\x2b\x2d-\x7e])+)*$/, headersRight)
    .transform((text) => Object.fromEntries(text.split(/, */).map((pair) => [pair.slice(0, pair.indexOf('=')), decodeURIComponent(pair.slice(pair.indexOf('=') + 1))])))
    .optional();

const isRedisUrl = (text: string): boolean => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol);

const redisUrl = () => z.string().refine(isRedisUrl, 'must be an address such as redis://127.0.0.1:6379').optional();

const proxyRight = 'must be the address of an HTTP proxy, such as http://proxy.example:3128 (SOCKS is not supported)';
const isProxyUrl = (text: string): boolean => isHttpUrl(text) && new URL(text).pathname === '/';

/** An address without a scheme means http, as in curl. */
const proxyUrl = () =>
  z
    .string()
    .transform((text) => (/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`))
    .refine(isProxyUrl, proxyRight)
    .optional();

const secretKeysRight = 'must be keys of 32 to 512 letters, digits or -._~+/= with commas between them, the one that encrypts first (each for example the output of `openssl rand -hex 32`)';

/** Keys under which secrets are stored; see `createKeyring`. */
const secretKeys = () =>
  z
    .string({ error: secretKeysRight })
    .regex(/^[A-Za-z0-9\-._~+/=]{32,512}(,[A-Za-z0-9\-._~+/=]{32,512}){0,9}$/, secretKeysRight)
    .transform((text) => text.split(','));

const publicUrlRight = 'must be the address that browsers use, without a path, such as https://console.example.com';

/** The origin of a public face. */
const publicUrl = () =>
  z
    .string({ error: publicUrlRight })
    .refine((text) => isHttpUrl(text) && new URL(text).pathname === '/' && new URL(text).username === '', publicUrlRight)
    .transform((text) => new URL(text).origin);

/** Building blocks for schemas of settings. */
export const setting = { secretKeys, publicUrl, wholeNumber, port, durationMs, sizeBytes, host, internalToken, logLevel, logFile, databaseUrl, redisUrl, ratio, collectorUrl, proxyUrl, headers };

/** The settings of every process with an HTTP face; an app's schema adds its port and its own settings. */
export const processSettings = {
  HOST: host(),
  INTERNAL_TOKEN: internalToken(),
  LOG_LEVEL: logLevel(),
  LOG_FILE: logFile(),
  DRAIN_MS: durationMs(25_000, 0, 600_000),
  /** The collector that receives traces. Unset: the process makes none. */
  OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl(),
  OTEL_EXPORTER_OTLP_HEADERS: headers(),
  /** The share of successful requests that are traced; failed requests always are. */
  TRACE_SAMPLE_RATIO: ratio(0.01),
};

export type ProcessSettings = z.infer<z.ZodObject<typeof processSettings>>;
