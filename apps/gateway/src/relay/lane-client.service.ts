import { Injectable } from '@nestjs/common';
import { vendorKeyProblem, type Lane } from '@kilotoken/marketplace';
import { Pool, ProxyAgent, type Dispatcher } from 'undici';
import { readVendorKey } from '../config.js';
import type { LaneBody } from '../request/read-request.js';
import { DecodedAnswer } from './decoded-answer.js';
import { LaneError } from './failure.js';
import { proxyFor, type ProxySettings } from './vendor-proxy.js';

export interface LaneClientSettings {
  readonly internalToken: string;
  /** Whether vendors are told the trace that a request belongs to; our own workers always are. */
  readonly traceVendors: boolean;
  readonly proxies: ProxySettings;
}

/** Connections to one vendor at most; what exceeds them waits in the pool for its first byte, within its timeout. */
const connectionsMax = 1_024;
const poolsMax = 256;
const headerBytesMax = 32 * 1024;

const poolOptions = { connections: connectionsMax, pipelining: 1, maxHeaderSize: headerBytesMax, keepAliveTimeout: 4_000, keepAliveMaxTimeout: 60_000 };

/** Vendors at https:// are reached by a tunnel, those at http:// by the proxy's own requests, as proxies expect. */
const openProxied = (proxy: string, connectMs: number): ProxyAgent => {
  const { username, password } = new URL(proxy);
  const credentials = username === '' ? null : Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return new ProxyAgent({
    ...poolOptions,
    uri: proxy,
    proxyTunnel: false,
    ...(credentials === null ? {} : { token: `Basic ${credentials}` }),
    requestTls: { timeout: connectMs },
    proxyTls: { timeout: connectMs },
    clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout: connectMs }),
    factory: (origin, options) => new Pool(origin, { ...poolOptions, ...options }),
  });
};

/** How long an answer's first byte is waited for, and each one behind it. */
export type LaneWaits = Pick<Lane['timeouts'], 'firstByteMs' | 'idleMs'>;

interface Target {
  readonly origin: string;
  readonly path: string;
  /** Names the pool of its connections. */
  readonly pool: string;
}

/** Lanes change only with the catalogue, and their addresses are taken apart once. */
const targets = new WeakMap<Lane, Map<string, Target>>();

const targetOf = (lane: Lane, path: string): Target => {
  const ofLane = targets.get(lane) ?? new Map<string, Target>();
  targets.set(lane, ofLane);
  const known = ofLane.get(path);
  if (known) return known;
  const url = new URL(`${lane.baseUrl}${path}`);
  const target = { origin: url.origin, path: url.pathname + url.search, pool: `${lane.kind} ${url.origin} ${lane.timeouts.connectMs}` };
  ofLane.set(path, target);
  return target;
};

/** What a handler is given whose request never began: there is nothing to end. */
const neverBegun: Dispatcher.DispatchController = { aborted: true, paused: false, reason: null, abort: () => undefined, pause: () => undefined, resume: () => undefined };

/**
 * Connections to lanes, kept and used again: one pool an origin and connect timeout, through a proxy where one is set for
 * vendors. Redirects are never followed, so a vendor cannot send a prompt or a key elsewhere.
 */
@Injectable()
export class LaneClient {
  private readonly pools = new Map<string, Pool | ProxyAgent>();
  /** Lanes change only with the catalogue and the environment never: reading a variable costs a microsecond. */
  private readonly authorizations = new WeakMap<Lane, string | null>();

  constructor(private readonly settings: LaneClientSettings) {}

  /** Starts one attempt. Everything that happens to it is told to the handler, which sees plain bytes whatever the vendor encodes. */
  dispatch(lane: Lane, path: string, requestId: string, body: LaneBody, handler: Dispatcher.DispatchHandler, traceparent: string | null, waits: LaneWaits = lane.timeouts): void {
    const target = targetOf(lane, path);
    const authorization = this.authorizationFor(lane);
    if (authorization instanceof LaneError) return handler.onResponseError?.(neverBegun, authorization);
    this.poolFor(lane, target).dispatch(
      {
        origin: target.origin,
        path: target.path,
        method: 'POST',
        headers: this.headersFor(lane, requestId, authorization, traceparent),
        body,
        headersTimeout: waits.firstByteMs,
        bodyTimeout: waits.idleMs,
      },
      new DecodedAnswer(handler),
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private headersFor(lane: Lane, requestId: string, authorization: string | null, traceparent: string | null): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'accept-encoding': 'identity', 'x-request-id': requestId };
    if (authorization !== null) headers['authorization'] = authorization;
    if (traceparent !== null && (lane.kind === 'worker' || this.settings.traceVendors)) headers['traceparent'] = traceparent;
    return headers;
  }

  /** Null for a vendor without a key; an error for a key that cannot be sent. Such a lane is left out before, unless it has just come. */
  private authorizationFor(lane: Lane): string | null | LaneError {
    const known = this.authorizations.get(lane);
    if (known !== undefined) return known;
    const key = lane.kind === 'worker' ? this.settings.internalToken : lane.keyEnv === null ? null : readVendorKey(lane.keyEnv);
    const problem = key === null ? null : vendorKeyProblem(key);
    if (problem !== null) return new LaneError(`the variable ${lane.keyEnv}, which should hold the vendor's key, ${problem}`);
    const made = key === null ? null : `Bearer ${key}`;
    this.authorizations.set(lane, made);
    return made;
  }

  private poolFor(lane: Lane, { origin, pool: name }: Target): Pool | ProxyAgent {
    const known = this.pools.get(name);
    if (known) return known;
    if (this.pools.size >= poolsMax) this.closeOldest();
    const proxy = lane.kind === 'worker' ? null : proxyFor(origin, this.settings.proxies);
    const { connectMs } = lane.timeouts;
    const pool = proxy === null ? new Pool(origin, { ...poolOptions, connect: { timeout: connectMs } }) : openProxied(proxy, connectMs);
    this.pools.set(name, pool);
    return pool;
  }

  private closeOldest(): void {
    const [name, pool] = this.pools.entries().next().value!;
    this.pools.delete(name);
    // Requests that run on it end in their own time.
    void pool.close();
  }
}
