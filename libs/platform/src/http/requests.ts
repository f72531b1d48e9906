import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Histogram } from 'prom-client';
import type { Clock } from '../clock.js';
import { AppError } from '../errors.js';
import { healthPaths } from './health.js';
import type { RequestTrace, SpanAttributes, Tracing } from '../telemetry/tracing.js';

/** The request's one log line: the fields of every request, and behind them what an app adds. Never a prompt, a completion or a key. */
export interface WideEvent extends Record<string, unknown> {
  readonly event: 'request.ended';
  requestId: string;
  readonly method: string;
  readonly route: string;
  /** The fields from here on are known only at the end. */
  status: number;
  latencyMs: number;
  /** The client left, or the connection broke, before the whole answer was out. Status 0: before any of it was. */
  aborted: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    wideEvent: WideEvent;
    /** Null where no traces are made. */
    trace: RequestTrace | null;
  }
}

/** Counts the requests whose answer has not ended. */
export interface RequestTracker {
  inFlight(): number;
  /** True when nothing is in flight any more, false when that took longer than `timeoutMs`. */
  idle(timeoutMs: number): Promise<boolean>;
}

export interface RequestObservation {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly durationSeconds: Histogram<'method' | 'route' | 'status'>;
  readonly tracing: Tracing | null;
}

const quietRoutes: ReadonlySet<string> = new Set([...healthPaths, '/metrics']);
/** Where the route is unknown the path is not recorded either: what a stranger types may be a key. */
const unknownRoute = 'unknown';

/** Told where the whole trace can be looked up. */
export const traceIdHeader = 'x-trace-id';

/** The requests of each connection that wait for their end, with one listener a connection however many are pipelined. */
const waitingOn = new WeakMap<Socket, Set<() => void>>();

const waitingOf = (socket: Socket): Set<() => void> => {
  const existing = waitingOn.get(socket);
  if (existing) return existing;
  const waiting = new Set<() => void>();
  waitingOn.set(socket, waiting);
  socket.once('close', () => waiting.forEach((settle) => settle()));
  return waiting;
};

/**
 * Calls `listener` once when the answer is out or can no longer get out: Node closes a response in either case, the first
 * right after its `finish`. Fastify's own onResponse misses a client that leaves during a stream, and Node says nothing of
 * answers that were queued behind others on a connection that closed.
 */
const onAnswerEnd = (request: IncomingMessage, response: ServerResponse, listener: () => void): void => {
  const waiting = waitingOf(request.socket);
  const settle = (): void => {
    if (waiting.delete(settle)) listener();
  };
  waiting.add(settle);
  response.on('close', settle);
};

const beginEvent = (request: FastifyRequest): WideEvent => ({
  event: 'request.ended',
  requestId: request.id,
  method: request.method,
  route: request.is404 ? unknownRoute : (request.routeOptions.url ?? unknownRoute),
  status: 0,
  latencyMs: 0,
  aborted: false,
});

const record = (request: FastifyRequest, reply: FastifyReply, latencyMs: number, { logger, durationSeconds, tracing }: RequestObservation): void => {
  // Added to, not spread into another: that made an object which every later reader was slow with.
  const event = request.wideEvent;
  const { method, route } = event;
  const status = reply.raw.headersSent ? reply.raw.statusCode : 0;
  durationSeconds.observe({ method, route, status }, latencyMs / 1000);
  if (quietRoutes.has(route) && status < 500) return;
  if (tracing && request.trace) endTrace(tracing, request.trace, request, route, status);
  // An app may have given the request another id.
  event.requestId = request.id;
  event.status = status;
  event.latencyMs = Math.round(latencyMs * 10) / 10;
  event.aborted = !reply.raw.writableFinished;
  // A 503 of /readyz or of a drain is an answer; only 500 says that something is broken.
  if (status === 500) logger.error(event);
  else logger.info(event);
};

const beginTrace = (tracing: Tracing, request: FastifyRequest, reply: FastifyReply): void => {
  const { traceparent } = request.headers;
  request.trace = tracing.begin(typeof traceparent === 'string' ? traceparent : undefined);
  if (request.trace.sampled) reply.header(traceIdHeader, request.trace.traceId);
};

/** The failure by status, or by the log line's code for an answer that had begun. A caller's error is not a failure. */
const errorTypeOf = ({ wideEvent }: FastifyRequest, status: number): string | null => {
  const code = typeof wideEvent['code'] === 'string' ? wideEvent['code'] : null;
  if (status >= 500) return code ?? String(status);
  return status > 0 && status < 400 ? code : null;
};

const endTrace = (tracing: Tracing, trace: RequestTrace, request: FastifyRequest, route: string, status: number): void => {
  const { wideEvent, method } = request;
  const errorType = errorTypeOf(request, status);
  // Where the id leads somewhere: to what is exported here, or to the trace that the caller began.
  if (trace.sampled || trace.parentSpanId !== null || errorType !== null) wideEvent['traceId'] = trace.traceId;
  // Most end here, and are to cost no more than that.
  if (!trace.sampled && errorType === null) return;
  const attributes: SpanAttributes = { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status, 'kilotoken.request.id': request.id };
  if (typeof wideEvent['code'] === 'string') attributes['kilotoken.code'] = wideEvent['code'];
  if (typeof wideEvent['organizationId'] === 'string') attributes['kilotoken.organization.id'] = wideEvent['organizationId'];
  tracing.end(trace, { name: `${method} ${route}`, attributes, errorType });
};

/** Gives each request its id, its event and its place in the count, and records it when its answer has ended. */
export const observeRequests = (fastify: FastifyInstance, observation: RequestObservation): RequestTracker => {
  let inFlight = 0;
  const whenIdle = new Set<() => void>();

  // Declared first, so that all request objects have one shape; the object itself is made for each request.
  fastify.decorateRequest('wideEvent');
  fastify.decorateRequest('trace', null);
  fastify.addHook('onRequest', (request, reply, done) => {
    const startedMs = observation.clock.monotonicMs();
    request.wideEvent = beginEvent(request);
    reply.header('x-request-id', request.id);
    if (observation.tracing) beginTrace(observation.tracing, request, reply);
    inFlight += 1;
    onAnswerEnd(request.raw, reply.raw, () => {
      inFlight -= 1;
      record(request, reply, observation.clock.monotonicMs() - startedMs, observation);
      if (inFlight === 0) whenIdle.forEach((resolve) => resolve());
    });
    done();
  });

  return {
    inFlight: () => inFlight,
    idle: async (timeoutMs) => {
      if (inFlight === 0) return true;
      return new Promise<boolean>((resolve) => {
        const settle = (isIdle: boolean): void => {
          clearTimeout(timer);
          whenIdle.delete(onIdle);
          resolve(isIdle);
        };
        const onIdle = (): void => settle(true);
        const timer = setTimeout(() => settle(false), timeoutMs);
        whenIdle.add(onIdle);
      });
    },
  };
};

const drainingPaths: ReadonlySet<string> = new Set([...healthPaths, '/metrics']);

/** While the process drains, what is running ends and what is new is sent elsewhere. */
export const refuseWhileDraining = (fastify: FastifyInstance, isDraining: () => boolean): void => {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!isDraining() || drainingPaths.has(request.raw.url ?? '')) return done();
    reply.header('connection', 'close').header('retry-after', '1');
    done(new AppError({ code: 'draining', kind: 'unavailable', publicMessage: 'This process is stopping. Try again.' }));
  });
};
