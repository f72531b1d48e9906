import type { SessionService } from '@kilotoken/funding';
import type { Lane } from '@kilotoken/marketplace';
import type { BytesMeter } from '../bounds/bytes-meter.js';
import type { Deadlines } from '../bounds/deadlines.js';
import type { Failpoint } from '../failpoint.js';
import type { Client } from '../request/client.js';
import type { LaneBody, ReadRequest } from '../request/read-request.js';
import type { EndingService } from './ending.service.js';
import type { GatewayMetrics } from './gateway-metrics.js';
import type { Attempt, Generation } from './generation.js';
import type { LaneClient } from './lane-client.service.js';
import type { LaneNotices } from './lane-notices.js';
import type { RunningRequests } from './running.service.js';

export interface RelayLimits {
  readonly attemptsMax: number;
  readonly firstByteMsMax: number;
  readonly requestMsMax: number;
  readonly drainJsonMsMax: number;
  readonly clientStallMsMax: number;
  /** How long a stream is read for the usage of a client that left, on lanes that are drained. */
  readonly drainStreamMsMax: number;
  /** How long a finished answer is waited for what comes behind it. */
  readonly answerGraceMs: number;
  /** Silence after which a stream's client is sent a comment. */
  readonly heartbeatMs: number;
}

/** All that relaying one request needs. */
export interface RelayContext {
  readonly generation: Generation;
  readonly request: ReadRequest;
  readonly client: Client;
  /** The body for a lane; a promise only where the request is a large one. */
  readonly body: (lane: Lane) => LaneBody | Promise<LaneBody>;
  readonly lanes: LaneClient;
  readonly ending: EndingService;
  readonly running: RunningRequests;
  readonly session: Pick<SessionService, 'isAlive' | 'onceAlive'>;
  readonly metrics: GatewayMetrics;
  readonly meter: BytesMeter;
  readonly notices: LaneNotices;
  readonly limits: RelayLimits;
  readonly deadlines: Deadlines;
  readonly failpoint: Failpoint;
  /** Database time in milliseconds. */
  readonly nowMs: () => number;
}

export const pathOf = ({ operation }: Generation): string => (operation === 'chat.completions' ? '/chat/completions' : '/completions');

/** The names of dropped parameters. */
export const droppedHeader = ({ plan }: Generation): { 'x-kilotoken-dropped'?: string } =>
  plan.dropped.length > 0 ? { 'x-kilotoken-dropped': plan.dropped.join(', ') } : {};

export const startAttempt = ({ generation, nowMs }: RelayContext, lane: Lane): Attempt => {
  const attempt: Attempt = { lane, startedMs: nowMs(), firstTokenMs: null, endedMs: null, upstreamStatus: null, upstreamId: null, errorCode: null };
  generation.attempts.push(attempt);
  return attempt;
};
