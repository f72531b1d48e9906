import { createParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import { connectionFailure, malformedAnswer, statusFailure, type Failure } from './failure.js';
import type { Attempt } from './generation.js';
import type { StreamChunk } from './stream-state.js';

/** An event is one chunk of an answer; what is longer than this without an end is no event. */
const eventBytesMax = 4 * 1024 * 1024;
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

const parseChunk = (text: string): StreamChunk | null => {
  try {
    const chunk: unknown = JSON.parse(text);
    return typeof chunk === 'object' && chunk !== null && !Array.isArray(chunk) ? (chunk as StreamChunk) : null;
  } catch {
    // An event that is no JSON breaks the stream: what it meant to say is not known.
    return null;
  }
};

/**
 * Reads one attempt at a stream. `onChunks` is given what arrived together, so that it leaves together; it answers false to
 * break the stream off.
 */
export const createStreamAttempt = (attempt: Attempt, nowMs: () => number, onChunks: (chunks: readonly StreamChunk[]) => boolean): StreamAttempt => {
  let settle!: (end: StreamEnd) => void;
  const end = new Promise<StreamEnd>((resolve) => {
    settle = resolve;
  });
  const decoder = new TextDecoder('utf-8');
  let controller: Dispatcher.DispatchController | null = null;
  let aborted = false;
  let over = false;
  let isStream = false;
  let retryAfter: string | string[] | undefined;
  let errorBody: Buffer[] = [];
  let unparsedBytes = 0;
  let chunks: StreamChunk[] = [];
  let done = false;
  let malformed = false;

  const finish = (result: StreamEnd): void => {
    if (over) return;
    over = true;
    attempt.endedMs = nowMs();
    if (result.kind !== 'ended') attempt.errorCode ??= result.failure.code;
    settle(result);
  };
  /** Before the first chunk another lane may be tried; after it the stream is broken. */
  const fail = (failure: Failure): void => finish({ kind: attempt.firstTokenMs === null ? 'failed' : 'broken', failure });

  const parser = createParser({
    onEvent: ({ data }) => {
      unparsedBytes = 0;
      if (done || malformed) return;
      if (data === '[DONE]') {
        done = true;
        return;
      }
      const chunk = parseChunk(data);
      if (chunk) chunks.push(chunk);
      else malformed = true;
    },
  });

  const onEvents = (from: Dispatcher.DispatchController): void => {
    const arrived = chunks;
    chunks = [];
    if (arrived.length > 0) {
      if (attempt.firstTokenMs === null) {
        attempt.firstTokenMs = nowMs();
        const { id } = arrived[0]!;
        if (typeof id === 'string') attempt.upstreamId = id.slice(0, 128).replace(/[^\x21-\x7e]/g, '');
      }
      if (!onChunks(arrived)) malformed = true;
    }
    if (malformed || unparsedBytes > eventBytesMax) {
      fail(malformedAnswer());
      from.abort(new Error('the stream is malformed'));
    } else if (done) {
      // The answer is complete; the connection is read to its end so that it can be used again.
      finish({ kind: 'ended' });
    }
  };

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (aborted) started.abort(new Error('aborted'));
    },
    onResponseStart(_controller, status, headers) {
      attempt.upstreamStatus = status;
      retryAfter = headers['retry-after'];
      isStream = status === 200 && String(headers['content-type'] ?? '').startsWith('text/event-stream');
    },
    onResponseData(from, chunk) {
      if (over) return;
      if (!isStream) {
        unparsedBytes += chunk.length;
        if (unparsedBytes <= errorBodyBytesMax) errorBody.push(chunk);
        return;
      }
      unparsedBytes += chunk.length;
      parser.feed(decoder.decode(chunk, { stream: true }));
      onEvents(from);
    },
    onResponseEnd(from) {
      if (over) return;
      if (!isStream) return fail(attempt.upstreamStatus === 200 ? malformedAnswer() : statusFailure(attempt.upstreamStatus ?? 0, retryAfter, Buffer.concat(errorBody)));
      // A last event without its blank line is an event all the same.
      parser.feed(`${decoder.decode()}\n\n`);
      onEvents(from);
      if (attempt.firstTokenMs === null) fail(malformedAnswer());
      else finish({ kind: 'ended' });
    },
    onResponseError(_controller, error) {
      fail(connectionFailure(error));
      errorBody = [];
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
