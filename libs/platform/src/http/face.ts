import { fastify, type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { isNativeError } from 'node:util/types';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.js';
import { ConfigError } from '../config/config.js';
import { sendError, type SendError } from './http-errors.js';
import { createTokenCheck, guardWithToken, internalTokenNeeded } from './internal-token.js';
import { registerMetrics } from '../telemetry/metrics.js';
import { createSystemIdMinter } from '../uuid.js';

/** Time for all of a request to arrive, its body included; a stream's answer may take longer. */
const requestTimeoutMs = 60_000;
const headersTimeoutMs = 15_000;
/** How often Node looks for connections that are over either time. */
const connectionsCheckMs = 5_000;
/** Longer than what load balancers use (60 s), so that they are the ones to close. */
const keepAliveTimeoutMs = 72_000;
const bodyLimitBytesDefault = 1024 * 1024;

export interface FaceOptions {
  readonly clock: Clock;
  /** Null for a public face, which authenticates by itself. */
  readonly internalToken: string | null;
  readonly bodyLimitBytes?: number | undefined;
  /** Unset is ours. */
  readonly sendError?: SendError | undefined;
}

/**
 * A Fastify instance with our bounds. Nobody's body is parsed: whatever its content type, `request.body` is the Buffer
 * that came, and the one who knows what should be in it reads it.
 */
export const createFace = ({ clock, internalToken, bodyLimitBytes = bodyLimitBytesDefault, sendError: send = sendError }: FaceOptions): FastifyInstance => {
  // By this machine's clock, which may be wrong: what is billed has an id of database time.
  const mintRequestId = createSystemIdMinter();
  const isAuthorized = internalToken === null ? () => true : createTokenCheck(internalToken);
  const face = fastify({
    logger: false,
    trustProxy: false,
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: connectionsCheckMs },
    forceCloseConnections: 'idle',
    // While the server closes, our own hook refuses requests in the shape of all our errors.
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: () => mintRequestId(Math.max(0, clock.nowMs())),
    // The router refuses malformed addresses before any hook runs; a stranger is not told even that.
    frameworkErrors: (error, request, reply) =>
      send(request, reply, isAuthorized(request.raw.headersDistinct['authorization']) ? error : internalTokenNeeded()),
  });
  face.removeAllContentTypeParsers();
  face.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return face;
};

export interface Address {
  readonly host: string;
  readonly port: number;
  /** The variable that changes the port, for the message. */
  readonly portSetting: string;
}

const listenProblems: Readonly<Record<string, (address: Address) => string>> = {
  EADDRINUSE: ({ host, port, portSetting }) => `${portSetting} is wrong: port ${port} on ${host} is already taken; stop what listens there or set ${portSetting} to a free port`,
  EACCES: ({ port, portSetting }) => `${portSetting} is wrong: this user may not listen on port ${port}; choose one above 1023`,
  EADDRNOTAVAIL: ({ host }) => `HOST is wrong: this machine has no address ${host}; use one of its own, 127.0.0.1 or 0.0.0.0`,
  ENOTFOUND: ({ host }) => `HOST is wrong: the name ${host} has no address`,
};

/** Turns the system's refusal to listen into the setting that is wrong; other errors stay as they are. */
export const explainListenError = (error: unknown, address: Address): unknown => {
  const code = isNativeError(error) && 'code' in error ? String(error.code) : '';
  const problem = listenProblems[code];
  return problem ? new ConfigError([problem(address)]) : error;
};

/** The port that was bound: with 0 the system chose one. */
export const boundPort = (face: FastifyInstance): number => (face.server.address() as AddressInfo).port;

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface OpsServerOptions extends Address {
  readonly internalToken: string;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** /metrics on a port of its own, with the token, for processes whose face is public. */
export const startOpsServer = async ({ clock, internalToken, registry, ...address }: OpsServerOptions): Promise<OpsServer> => {
  const face = createFace({ clock, internalToken });
  face.setErrorHandler((error, request, reply) => sendError(request, reply, error));
  face.setNotFoundHandler((request, reply) => sendError(request, reply, { statusCode: 404 }));
  guardWithToken(face, internalToken);
  registerMetrics(face, registry);
  try {
    await face.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw explainListenError(error, address);
  }
  return { port: boundPort(face), close: async () => face.close() };
};
