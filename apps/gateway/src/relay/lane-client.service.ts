import { Injectable } from '@nestjs/common';
import type { Lane } from '@kilotoken/marketplace';
import { Pool, type Dispatcher } from 'undici';
import { readVendorKey } from '../config.js';
import type { LaneBody } from '../intake/read-request.js';

export interface LaneClientSettings {
  readonly internalToken: string;
  /** Whether vendors are told the trace that a request belongs to; our own workers always are. */
  readonly traceVendors: boolean;
}

/** Connections to one vendor at most; what exceeds them waits in the pool for its first byte, within its timeout. */
const connectionsMax = 1_024;
const poolsMax = 256;
const headerBytesMax = 32 * 1024;

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
  const target = { origin: url.origin, path: url.pathname + url.search, pool: `${url.origin} ${lane.timeouts.connectMs}` };
  ofLane.set(path, target);
  return target;
};

/**
 * Connections to lanes, kept and used again: one pool an origin and connect timeout. Redirects are never followed, so
 * a vendor cannot send a prompt or a key elsewhere.
 */
@Injectable()
export class LaneClient {
  private readonly pools = new Map<string, Pool>();
  /** Lanes change only with the catalogue and the environment never: reading a variable costs a microsecond. */
  private readonly authorizations = new WeakMap<Lane, string | null>();

  constructor(private readonly settings: LaneClientSettings) {}

  /** Starts one attempt. Everything that happens to it is told to the handler. */
  dispatch(lane: Lane, path: string, requestId: string, body: LaneBody, handler: Dispatcher.DispatchHandler, traceparent: string | null): void {
    const target = targetOf(lane, path);
    this.poolFor(lane, target).dispatch(
      {
        path: target.path,
        method: 'POST',
        headers: this.headersFor(lane, requestId, traceparent),
        body,
        headersTimeout: lane.timeouts.firstByteMs,
        bodyTimeout: lane.timeouts.idleMs,
      },
      handler,
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private headersFor(lane: Lane, requestId: string, traceparent: string | null): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', 'x-request-id': requestId };
    const authorization = this.authorizationFor(lane);
    if (authorization !== null) headers['authorization'] = authorization;
    if (traceparent !== null && (lane.kind === 'worker' || this.settings.traceVendors)) headers['traceparent'] = traceparent;
    return headers;
  }

  private authorizationFor(lane: Lane): string | null {
    const known = this.authorizations.get(lane);
    if (known !== undefined) return known;
    const key = lane.kind === 'worker' ? this.settings.internalToken : lane.keyEnv === null ? undefined : readVendorKey(lane.keyEnv);
    const made = key === undefined ? null : `Bearer ${key}`;
    this.authorizations.set(lane, made);
    return made;
  }

  private poolFor(lane: Lane, { origin, pool: name }: Target): Pool {
    const known = this.pools.get(name);
    if (known) return known;
    if (this.pools.size >= poolsMax) this.closeOldest();
    const pool = new Pool(origin, {
      connections: connectionsMax,
      pipelining: 1,
      connect: { timeout: lane.timeouts.connectMs },
      maxHeaderSize: headerBytesMax,
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 60_000,
    });
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
