import type { Dispatcher } from 'undici';
import { createAnswerReader } from './answer-reader.js';
import type { StreamEvent } from './event-reader.js';
import { connectionFailure, malformedAnswer, statusFailure, type Failure } from './failure.js';
import type { Attempt } from './generation.js';
import { readUpstreamId } from './upstream-id.js';

const errorBodyBytesMax = 64 * 1024;

/**
 * How a stream stopped. `refused`: with a status other than 200. `over`: by `[DONE]`, or by the end of a body whose length was
 * known. `cut`: by the end of a connection that alone delimited the body, so that nobody knows whether something is missing.
 * `broken`: in the middle.
 */
export type StreamEnd = { readonly kind: 'over' } | { readonly kind: 'cut' } | { readonly kind: 'refused' | 'broken'; readonly failure: Failure };

export interface StreamAttempt {
  readonly handler: Dispatcher.DispatchHandler;
  readonly end: Promise<StreamEnd>;
  /** The lane has been sent the request: from here on it may work on it. */
  isStarted(): boolean;
  /** Nothing more comes on its connection. */
  isClosed(): boolean;
  setPaused(paused: boolean): void;
  /** Stops reading. The connection closes, so that the lane stops generating; one whose answer has ended by itself is kept. */
  abort(): void;
}

/** Takes events that arrived together, so that they leave together; answers a failure to break the stream off. */
export type OnEvents = (events: readonly StreamEvent[]) => Failure | null;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Whether HTTP says where the body ends (RFC 9112 §6.3); undici reports a body that stops before that as an error. */
const isDelimited = (headers: Headers): boolean => headers['content-length'] !== undefined || String(headers['transfer-encoding'] ?? '').toLowerCase().includes('chunked');

/** The effect of an answer's bytes on its attempt. */
interface Progress {
  isOver(): boolean;
  /** False when the connection is to be closed. */
  feed(bytes: Buffer): boolean;
  /** The body ended. */
  end(isWhole: boolean): void;
  finish(end: StreamEnd): void;
}

const createProgress = (attempt: Attempt, nowMs: () => number, onEvents: OnEvents, settle: (end: StreamEnd) => void): Progress => {
  const reader = createAnswerReader();
  let over = false;
  const finish = (result: StreamEnd): void => {
    if (over) return;
    over = true;
    attempt.endedMs = nowMs();
    settle(result);
  };
  const take = (events: readonly StreamEvent[]): void => {
    if (events.length > 0) {
      attempt.upstreamId ??= readUpstreamId(events[0]!.chunk['id']);
      const failure = onEvents(events);
      if (failure) return finish({ kind: 'broken', failure });
    }
    if (reader.state() === 'malformed') finish({ kind: 'broken', failure: malformedAnswer() });
    else if (reader.state() === 'done') finish({ kind: 'over' });
  };
  return {
    isOver: () => over,
    feed: (bytes) => {
      // After the answer the connection is read to its end, so that it can be used again.
      if (over) return true;
      take(reader.feed(bytes));
      return !over || reader.state() === 'done';
    },
    end: (isWhole) => {
      take(reader.end());
      finish({ kind: isWhole ? 'over' : 'cut' });
    },
    finish,
  };
};

/** Reads one attempt at a stream. */
export const createStreamAttempt = (attempt: Attempt, nowMs: () => number, onEvents: OnEvents): StreamAttempt => {
  let settle!: (end: StreamEnd) => void;
  const end = new Promise<StreamEnd>((resolve) => {
    settle = resolve;
  });
  const progress = createProgress(attempt, nowMs, onEvents, settle);
  let controller: Dispatcher.DispatchController | null = null;
  let aborted = false;
  let closed = false;
  let headers: Headers = {};
  const errorBody: Buffer[] = [];
  let errorBytes = 0;
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      // Ended while its connection was made: nothing of it is sent, so nothing of it is charged.
      if (aborted) return started.abort(new Error('aborted'));
      controller = started;
    },
    onResponseStart(_controller, status, received) {
      attempt.upstreamStatus = status;
      headers = received;
    },
    onResponseData(from, chunk) {
      if (attempt.upstreamStatus === 200) {
        if (!progress.feed(chunk)) from.abort(new Error('the stream is broken off'));
        return;
      }
      errorBytes += chunk.length;
      if (errorBytes <= errorBodyBytesMax) errorBody.push(chunk);
    },
    onResponseEnd() {
      closed = true;
      if (progress.isOver()) return;
      if (attempt.upstreamStatus === 200) return progress.end(isDelimited(headers));
      progress.finish({ kind: 'refused', failure: statusFailure(attempt.upstreamStatus ?? 0, headers['retry-after'], Buffer.concat(errorBody), [attempt.lane.upstreamModel]) });
    },
    onResponseError(_controller, error) {
      closed = true;
      progress.finish({ kind: 'broken', failure: connectionFailure(error) });
    },
  };
  return {
    handler,
    end,
    isStarted: () => controller !== null,
    isClosed: () => closed,
    setPaused: (paused) => (paused ? controller?.pause() : controller?.resume()),
    abort: () => {
      aborted = true;
      if (!closed) controller?.abort(new Error('aborted'));
    },
  };
};
