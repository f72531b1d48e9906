import type { Dispatcher } from 'undici';
import { createEventReader, type StreamEvent } from './event-reader.js';
import { connectionFailure, malformedAnswer, statusFailure, type Failure } from './failure.js';
import type { Attempt } from './generation.js';

const errorBodyBytesMax = 64 * 1024;

/** How a stream ended: before anything of it was usable, by `[DONE]` or the end of the body, or broken in between. */
export type StreamEnd = { readonly kind: 'failed'; readonly failure: Failure } | { readonly kind: 'ended' } | { readonly kind: 'broken'; readonly failure: Failure };

export interface StreamAttempt {
  readonly handler: Dispatcher.DispatchHandler;
  readonly end: Promise<StreamEnd>;
  /** The lane has been sent the request: from here on it may work on it. */
  isStarted(): boolean;
  setPaused(paused: boolean): void;
  /** Stops reading and closes the connection, so that the lane stops generating. */
  abort(): void;
}

/** Takes what arrived together, so that it leaves together, and stamps the first token; answers false to break the stream off. */
export type OnEvents = (events: readonly StreamEvent[]) => boolean;

/** What the events of a stream make of its attempt. */
interface Progress {
  feed(bytes: Buffer): 'open' | 'over';
  end(): void;
  /** Before the first token another lane may be tried; after it the stream is broken. */
  fail(failure: Failure): void;
  isOver(): boolean;
}

const createProgress = (attempt: Attempt, nowMs: () => number, onEvents: OnEvents, settle: (end: StreamEnd) => void): Progress => {
  const reader = createEventReader();
  let over = false;
  const finish = (result: StreamEnd): void => {
    if (over) return;
    over = true;
    attempt.endedMs = nowMs();
    if (result.kind !== 'ended') attempt.errorCode ??= result.failure.code;
    settle(result);
  };
  const fail = (failure: Failure): void => finish({ kind: attempt.firstTokenMs === null ? 'failed' : 'broken', failure });
  /** False when the stream is to be broken off. */
  const take = (events: readonly StreamEvent[]): boolean => {
    if (events.length === 0) return true;
    const { id } = events[0]!.chunk;
    if (attempt.upstreamId === null && typeof id === 'string') attempt.upstreamId = id.slice(0, 128).replace(/[^\x21-\x7e]/g, '');
    return onEvents(events);
  };
  return {
    fail,
    isOver: () => over,
    feed: (bytes) => {
      const accepted = take(reader.feed(bytes));
      if (!accepted || reader.state() === 'malformed') fail(malformedAnswer());
      // The answer is complete; the connection is read to its end so that it can be used again.
      else if (reader.state() === 'done') finish({ kind: 'ended' });
      return over && reader.state() !== 'done' ? 'over' : 'open';
    },
    end: () => {
      const accepted = take(reader.end());
      if (!accepted || reader.state() === 'malformed' || attempt.firstTokenMs === null) fail(malformedAnswer());
      else finish({ kind: 'ended' });
    },
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
  let isStream = false;
  let retryAfter: string | string[] | undefined;
  const errorBody: Buffer[] = [];
  let errorBytes = 0;

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      // Ended while its connection was made: nothing of it is sent, so nothing of it is charged.
      if (aborted) return started.abort(new Error('aborted'));
      controller = started;
    },
    onResponseStart(_controller, status, headers) {
      attempt.upstreamStatus = status;
      retryAfter = headers['retry-after'];
      isStream = status === 200 && String(headers['content-type'] ?? '').startsWith('text/event-stream');
    },
    onResponseData(from, chunk) {
      if (progress.isOver()) return;
      if (isStream) {
        if (progress.feed(chunk) === 'over') from.abort(new Error('the stream is malformed'));
        return;
      }
      errorBytes += chunk.length;
      if (errorBytes <= errorBodyBytesMax) errorBody.push(chunk);
    },
    onResponseEnd() {
      if (progress.isOver()) return;
      if (isStream) progress.end();
      else progress.fail(attempt.upstreamStatus === 200 ? malformedAnswer() : statusFailure(attempt.upstreamStatus ?? 0, retryAfter, Buffer.concat(errorBody)));
    },
    onResponseError(_controller, error) {
      progress.fail(connectionFailure(error));
    },
  };
  return {
    handler,
    end,
    isStarted: () => controller !== null,
    setPaused: (paused) => (paused ? controller?.pause() : controller?.resume()),
    abort: () => {
      aborted = true;
      controller?.abort(new Error('aborted'));
    },
  };
};
