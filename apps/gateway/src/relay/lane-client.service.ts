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
  /** Whether requests to vendors carry `traceparent`; those to our own workers always do. */
  readonly traceVendors: boolean;
  readonly proxies: ProxySettings;
}

/** The most connections to one vendor; further requests wait in the pool for their first byte, within their timeout. */
const connectionsMax = 1_024;
const poolsMax = 256;
const headerBytesMax = 32 * 1024;

const poolOptions = { connections: connectionsMax, pipelining: 1, maxHeaderSize: headerBytesMax, keepAliveTimeout: 4_000, keepAliveMaxTimeout: 60_000 };

/** A proxy tunnels connections to vendors at https://, and forwards requests to those at http://. */
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

/** The longest wait for an answer's first byte, and for each next one. */
export type LaneWaits = Pick<Lane['timeouts'], 'firstByteMs' | 'idleMs'>;

interface Target {
  readonly origin: string;
  readonly path: string;
  /** Names the pool of its connections. */
  readonly pool: string;
}

/** Lanes change only with the catalogue, so their addresses are parsed once. */
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

/** The controller for a request that never began. */
const neverBegun: Dispatcher.DispatchController = { aborted: true, paused: false, reason: null, abort: () => undefined, pause: () => undefined, resume: () => undefined };

/**
 * Keeps connections to lanes: one pool per origin and connect timeout, through the vendors' proxy if one is set. Redirects are
 * never followed, so a vendor cannot send a prompt or a key elsewhere.
 */
@Injectable()
export class LaneClient {
  private readonly pools = new Map<string, Pool | ProxyAgent>();

  constructor(private readonly settings: LaneClientSettings) {}

  /** Starts one attempt and reports its events to the handler, which sees decoded bytes. */
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

  /** Null for a vendor without a key; an error for a key that cannot be sent. Admission skips such a lane unless it is new. */
  private authorizationFor(lane: Lane): string | null | LaneError {
    const key = lane.kind === 'worker' ? this.settings.internalToken : lane.keyEnv === null ? null : readVendorKey(lane.keyEnv);
    const problem = key === null ? null : vendorKeyProblem(key);
    if (problem !== null) return new LaneError(`the variable ${lane.keyEnv}, which should hold the vendor's key, ${problem}`);
    return key === null ? null : `Bearer ${key}`;
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
    // Running requests on it end in their own time.
    void pool.close();
  }
}
