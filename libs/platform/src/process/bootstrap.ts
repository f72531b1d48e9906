import 'reflect-metadata';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { systemClock, type Clock } from '../clock.js';
import type { ProcessSettings } from '../config/config.js';
import { boundPort, createFace, explainListenError, startOpsServer, type Address, type OpsServer } from '../http/face.js';
import { createReadiness, registerHealth, type ReadinessCheck } from '../http/health.js';
import { AppErrorFilter, type SendError } from '../http/http-errors.js';
import { guardWithToken } from '../http/internal-token.js';
import { whileAnswering, type Lifeline } from '../database/lifeline.js';
import type { Log } from '../telemetry/logging.js';
import { createMetricsRegistry, createRequestHistogram, registerMetrics } from '../telemetry/metrics.js';
import { createNestLogger } from '../telemetry/nest-logger.js';
import { observeRequests, refuseWhileDraining, type RequestTracker } from '../http/requests.js';
import { openTracing } from '../telemetry/tracing.open.js';
import type { Tracing } from '../telemetry/tracing.js';

/** The base of a process, before any of its own parts exist. */
export interface Platform<Settings extends ProcessSettings = ProcessSettings> {
  readonly name: string;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly clock: Clock;
  /** Null where no traces are made. */
  readonly tracing: Tracing | null;
}

export interface ListenOptions {
  readonly port: number;
  readonly portSetting: string;
  readonly bodyLimitBytes?: number;
  /** Where a public face serves its metrics; an internal one has them on itself. */
  readonly metrics?: { readonly port: number; readonly portSetting: string };
}

export interface Wiring {
  readonly readiness?: readonly ReadinessCheck[];
  /** Begins when the drain begins, beside the wait for running requests; the deadline is on the monotonic clock. */
  readonly drain?: (deadlineMs: number) => Promise<void>;
  /** Where it falls silent the drain is over: for work that another process does again. */
  readonly lifeline?: Lifeline;
}

export interface AppDefinition<Settings extends ProcessSettings> {
  readonly name: string;
  /** Anything but `public` needs the internal token, but for its health. */
  readonly face: 'public' | 'internal';
  /** Answers errors in the face's own shape, wherever they arise; unset is ours. */
  readonly sendError?: SendError;
  /** Throws a ConfigError. */
  readonly readSettings: () => Settings;
  readonly listen: (settings: Settings) => ListenOptions;
  readonly module: (platform: Platform<Settings>) => Type | DynamicModule | Promise<Type | DynamicModule>;
  /**
   * Called once the providers exist and before the port opens: hooks and routes of its own go on `fastify`. A face with
   * an address space of its own registers a scoped plugin with its own error and not-found handler.
   */
  readonly wire?: (context: { app: INestApplication; fastify: FastifyInstance; platform: Platform<Settings> }) => Wiring | Promise<Wiring>;
}

export interface RunningApp {
  readonly app: INestApplication;
  readonly fastify: FastifyInstance;
  readonly port: number;
  readonly metricsPort: number | null;
  /** Not ready from now on, new requests get 503, running ones end. True when all ended within DRAIN_MS, and before the lifeline fell silent. */
  drain(): Promise<boolean>;
  close(): Promise<void>;
}

/** For what is left after the drain: connections that did not end by then are cut. */
const closeMsMax = 1_500;

interface Parts<Settings extends ProcessSettings> {
  readonly definition: AppDefinition<Settings>;
  readonly platform: Platform<Settings>;
  readonly app: NestFastifyApplication;
  readonly fastify: FastifyInstance;
  readonly tracker: RequestTracker;
  readonly state: { draining: boolean };
}

const createParts = async <Settings extends ProcessSettings>(
  definition: AppDefinition<Settings>,
  platform: Platform<Settings>,
): Promise<Parts<Settings>> => {
  const { settings, logger, registry, clock, tracing } = platform;
  const internalToken = definition.face === 'internal' ? settings.INTERNAL_TOKEN : null;
  const state = { draining: false };

  const { bodyLimitBytes } = definition.listen(settings);
  const fastify = createFace({ clock, internalToken, bodyLimitBytes, sendError: definition.sendError });
  // Nest's middleware would cost every request a walk through an empty chain: what we need are hooks.
  fastify.decorate('skipMiddie', true);
  const tracker = observeRequests(fastify, { clock, logger, durationSeconds: createRequestHistogram(registry), tracing });
  if (internalToken !== null) guardWithToken(fastify, internalToken);
  refuseWhileDraining(fastify, () => state.draining);

  const module = await definition.module(platform);
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(fastify as never), {
    bodyParser: false,
    abortOnError: false,
    logger: createNestLogger(logger),
  });
  app.useGlobalFilters(new AppErrorFilter(definition.sendError));
  return { definition, platform, app, fastify, tracker, state };
};

/** Health, metrics and the app's own wiring. */
const wireParts = async <Settings extends ProcessSettings>({ definition, platform, app, fastify, state }: Parts<Settings>): Promise<Wiring> => {
  const wiring = (await definition.wire?.({ app, fastify, platform })) ?? {};
  const { clock, logger, registry } = platform;
  registerHealth(
    fastify,
    createReadiness({
      checks: wiring.readiness ?? [],
      clock,
      isDraining: () => state.draining,
      onFailure: (check, error) => logger.warn({ event: 'readiness.failed', check, error }),
    }),
  );
  if (definition.face === 'internal') registerMetrics(fastify, registry);
  return wiring;
};

const startMetrics = async <Settings extends ProcessSettings>({ definition, platform }: Parts<Settings>): Promise<OpsServer | null> => {
  const { settings, registry, clock } = platform;
  const { metrics } = definition.listen(settings);
  if (!metrics) return null;
  return startOpsServer({ ...metrics, host: settings.HOST, internalToken: settings.INTERNAL_TOKEN, registry, clock });
};

const listenOn = async (app: NestFastifyApplication, address: Address): Promise<void> => {
  try {
    await app.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw explainListenError(error, address);
  }
};

/** Starts an app without touching the process: no signals, no exit. Rejects after closing what it had opened. */
export const startApp = async <Settings extends ProcessSettings>(
  definition: AppDefinition<Settings>,
  settings: Settings,
  log: Log,
  clock: Clock = systemClock,
): Promise<RunningApp> => {
  const { name } = definition;
  const registry = createMetricsRegistry(name);
  const traces = await openTracing({ name, settings, registry, clock, trustsCallers: definition.face === 'internal' });
  const platform: Platform<Settings> = { name, settings, clock, logger: log.logger, registry, tracing: traces?.tracing ?? null };
  const parts = await createParts(definition, platform);
  const { app, fastify, tracker, state } = parts;
  let metrics: OpsServer | null = null;

  const close = async (): Promise<void> => {
    state.draining = true;
    const cut = setTimeout(() => fastify.server.closeAllConnections(), closeMsMax);
    await Promise.allSettled([app.close(), metrics?.close()]);
    clearTimeout(cut);
    await traces?.stop();
  };

  try {
    const wiring = await wireParts(parts);
    metrics = await startMetrics(parts);
    const { port, portSetting } = definition.listen(settings);
    await listenOn(app, { host: settings.HOST, port, portSetting });

    const drain = async (): Promise<boolean> => {
      state.draining = true;
      const drainMs = settings.DRAIN_MS;
      const work = wiring.drain?.(clock.monotonicMs() + drainMs) ?? Promise.resolve();
      const finished = Promise.all([tracker.idle(drainMs), work]).then(([idle]) => idle);
      const drained = Promise.race([finished, expiry(drainMs)]);
      return wiring.lifeline ? whileAnswering(wiring.lifeline, drained) : drained;
    };
    return { app, fastify, port: boundPort(fastify), metricsPort: metrics?.port ?? null, drain, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** False after `timeoutMs`; it does not keep the process alive. */
const expiry = async (timeoutMs: number): Promise<false> => new Promise((resolve) => setTimeout(resolve, timeoutMs, false).unref());
