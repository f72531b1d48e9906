import { parseConfig, processSettings, readEnvironment, setting, type Environment } from '@kilotoken/platform';
import { z } from 'zod';
import { failpointNames } from './failpoint.js';

const originsRight = 'must be origins such as https://app.example.com, separated by commas, or * for all';
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

/** Unset: no origin. */
const corsOrigins = () =>
  z
    .string()
    .transform((text) => (text === '*' ? ('*' as const) : new Set(text.split(',').map((origin) => origin.trim().toLowerCase()))))
    .refine((origins) => origins === '*' || [...origins].every(isOrigin), originsRight)
    .optional();

export const gatewaySettings = z.object({
  ...processSettings,
  GATEWAY_PORT: setting.port(8080),
  GATEWAY_METRICS_PORT: setting.port(8085),
  APP_DATABASE_URL: setting.databaseUrl(),
  /** The largest request body accepted. */
  BODY_LIMIT_BYTES: setting.sizeBytes(20 * 1024 * 1024, 1_024, 1024 ** 3),
  /** Bytes of bodies in flight and of answers that slow readers have not taken: in all, per organization, per key. */
  BODY_BYTES_IN_FLIGHT_MAX: setting.sizeBytes(256 * 1024 * 1024, 1_024, 1024 ** 4),
  BODY_BYTES_PER_ORGANIZATION_MAX: setting.sizeBytes(128 * 1024 * 1024, 1_024, 1024 ** 4),
  BODY_BYTES_PER_KEY_MAX: setting.sizeBytes(64 * 1024 * 1024, 1_024, 1024 ** 4),
  /** An incomplete body must grow by 16 KiB in each interval of this length. */
  BODY_STALL_MS_MAX: setting.durationMs(10_000, 100, 60_000),
  /** A session without a heartbeat for this long, by the reaper's clock, is reaped. */
  SESSION_TTL_MS: setting.durationMs(15_000, 1_000, 600_000),
  /** The gateway admits nothing when its last poll of the configuration is older than this. */
  SNAPSHOT_AGE_MS_MAX: setting.durationMs(1_000, 300, 60_000),
  IDLE_LEASE_MS: setting.durationMs(60_000, 100, 600_000),
  FLOOR_WAIT_MS: setting.durationMs(2_000, 0, 60_000),
  FLOOR_WAITERS: setting.wholeNumber({ fallback: 1_000, min: 0, max: 100_000 }),
  PENDING_SETTLES_MAX: setting.wholeNumber({ fallback: 5_000, min: 1, max: 100_000 }),
  SETTLE_WAIT_MS: setting.durationMs(30_000, 100, 600_000),
  CHECKPOINT_MS: setting.durationMs(2_000, 100, 60_000),
  CHECKPOINT_STALE_MS_MAX: setting.durationMs(10_000, 500, 120_000),
  /** From admission to the end of an answer. */
  REQUEST_MS_MAX: setting.durationMs(600_000, 1_000, 3_600_000),
  /** From admission to an answer's first byte, over all attempts. */
  FIRST_BYTE_MS_MAX: setting.durationMs(180_000, 100, 600_000),
  ATTEMPTS_MAX: setting.wholeNumber({ fallback: 3, min: 1, max: 10 }),
  /** How long the gateway waits for a JSON answer after its client has left. */
  DRAIN_JSON_MS_MAX: setting.durationMs(60_000, 0, 600_000),
  /** How long the gateway reads a stream for its usage after its client has left, if its lane has `drain`. */
  DRAIN_STREAM_MS_MAX: setting.durationMs(60_000, 0, 600_000),
  /** How long the gateway waits for the usage and `[DONE]` after a finished answer. */
  ANSWER_GRACE_MS: setting.durationMs(1_000, 50, 60_000),
  /** A stream that is silent for this long sends its client a comment, and repeats it at this interval. */
  HEARTBEAT_MS: setting.durationMs(15_000, 100, 600_000),
  /** A client that takes nothing for this long has left. */
  CLIENT_STALL_MS_MAX: setting.durationMs(60_000, 100, 3_600_000),
  /** The fewest output tokens that a request without `max_tokens` is offered when the balance is short. */
  MIN_OUTPUT_TOKENS: setting.wholeNumber({ fallback: 16, min: 1, max: 100_000 }),
  /** How long an Idempotency-Key is remembered; longer than any request can run. */
  IDEMPOTENCY_KEEP_MS: setting.durationMs(86_400_000, 7_200_000, 2_592_000_000),
  /** 1: requests to vendors carry `traceparent`, as those to our own workers do. */
  TRACE_VENDORS: z.enum(['0', '1'], { error: 'must be 0 or 1' }).prefault('0'),
  /** Browsers may call from pages of these origins; `*` allows all. */
  CORS_ORIGINS: corsOrigins(),
  /** Proxies towards vendors, and hosts reached without them; the lower-case names work too. */
  HTTP_PROXY: setting.proxyUrl(),
  HTTPS_PROXY: setting.proxyUrl(),
  NO_PROXY: z.string().optional(),
  /** Threads that read large bodies and count long texts. Unset: one, or two on more than two cores. */
  WORKER_THREADS_MAX: setting.wholeNumber({ min: 1, max: 64 }).optional(),
  RUNNING_REQUESTS_MAX: setting.wholeNumber({ fallback: 10_000, min: 1, max: 1_000_000 }),
  /** `name` or `name:pass`, for tests: the process kills itself there. Works only in a database marked as a test. */
  KILOTOKEN_FAILPOINT: z
    .string()
    .regex(new RegExp(`^(${failpointNames.join('|')})(:[1-9]\\d{0,5})?$`), `must be one of ${failpointNames.join(', ')}, optionally with :N for the Nth pass`)
    .optional(),
});

export type GatewaySettings = z.infer<typeof gatewaySettings>;

/** Lanes name the variables that hold vendors' keys. A variable is read when its lane is first used. */
export const readVendorKey = (variable: string): string | undefined => readEnvironment()[variable];

/** The lower-case name wins if both are set, as in curl. */
const withLowerCase = (environment: Environment, names: readonly string[]): Environment => ({
  ...environment,
  ...Object.fromEntries(names.map((name) => [name, environment[name.toLowerCase()] || environment[name]])),
});

export const readGatewaySettings = (): GatewaySettings => parseConfig(gatewaySettings, withLowerCase(readEnvironment(), ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']));
