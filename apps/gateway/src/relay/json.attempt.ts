import type { Dispatcher } from 'undici';
import { connectionFailure, malformedAnswer, statusFailure, type Failure } from './failure.js';
import type { Attempt } from './generation.js';

/** An answer is at most as long as its tokens; this bounds what a vendor can make us keep. */
const answerBytesMax = 64 * 1024 * 1024;

export type JsonAnswer = Record<string, unknown>;
export type JsonOutcome = { readonly answer: JsonAnswer } | { readonly failure: Failure };

export interface JsonAttempt {
  readonly handler: Dispatcher.DispatchHandler;
  readonly outcome: Promise<JsonOutcome>;
  /** The lane has been sent the request: from here on it may work on it. */
  isStarted(): boolean;
  /** Ends the attempt as failed. */
  abort(): void;
}

const parseAnswer = (body: Buffer): JsonAnswer | null => {
  try {
    const answer: unknown = JSON.parse(body.toString('utf8'));
    return typeof answer === 'object' && answer !== null && Array.isArray((answer as JsonAnswer)['choices']) ? (answer as JsonAnswer) : null;
  } catch {
    // What is no JSON is no answer.
    return null;
  }
};

/** Collects one JSON answer. `nowMs` stamps the attempt. */
export const createJsonAttempt = (attempt: Attempt, nowMs: () => number): JsonAttempt => {
  let settle!: (outcome: JsonOutcome) => void;
  const outcome = new Promise<JsonOutcome>((resolve) => {
    settle = resolve;
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let headers: Record<string, string | string[] | undefined> = {};
  let controller: Dispatcher.DispatchController | null = null;
  let aborted = false;

  const finish = (result: JsonOutcome): void => {
    attempt.endedMs ??= nowMs();
    if ('failure' in result) attempt.errorCode ??= result.failure.code;
    settle(result);
  };
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
      bytes += chunk.length;
      attempt.firstTokenMs ??= nowMs();
      if (bytes > answerBytesMax) return from.abort(new Error('the answer is too long'));
      chunks.push(chunk);
    },
    onResponseEnd() {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      if (attempt.upstreamStatus !== 200) {
        attempt.firstTokenMs = null;
        return finish({ failure: statusFailure(attempt.upstreamStatus ?? 0, headers['retry-after'], body) });
      }
      const answer = parseAnswer(body);
      if (!answer) return finish({ failure: malformedAnswer() });
      if (typeof answer['id'] === 'string') attempt.upstreamId = answer['id'].slice(0, 128);
      finish({ answer });
    },
    onResponseError(_controller, error) {
      finish({ failure: connectionFailure(error) });
    },
  };
  return {
    handler,
    outcome,
    isStarted: () => controller !== null,
    abort: () => {
      aborted = true;
      controller?.abort(new Error('aborted'));
    },
  };
};
