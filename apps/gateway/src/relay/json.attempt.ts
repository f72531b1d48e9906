import type { Dispatcher } from 'undici';
import { answerOfChunks } from './answer-shape.js';
import { parseChunk } from './chunk-frame.js';
import { createEventReader, wholeChunk } from './event-reader.js';
import { connectionFailure, malformedAnswer, statusFailure, type Failure } from './failure.js';
import type { Attempt } from './generation.js';
import { readUpstreamId } from './upstream-id.js';

/** An answer is at most as long as its tokens with their log probabilities, sounds and images; this bounds what a vendor can make us keep and parse. */
const answerBytesMax = 64 * 1024 * 1024;
const answerBytesBase = 1024 * 1024;
const bytesPerTokenMax = 4 * 1024;

export const answerBytesOf = (tokensMax: number): number => Math.min(answerBytesMax, answerBytesBase + tokensMax * bytesPerTokenMax);

export type JsonAnswer = Record<string, unknown>;
export type JsonOutcome = { readonly answer: JsonAnswer } | { readonly failure: Failure };

export interface JsonAttempt {
  readonly handler: Dispatcher.DispatchHandler;
  readonly outcome: Promise<JsonOutcome>;
  /** The lane has been sent the request: from here on it may work on it. */
  isStarted(): boolean;
  /** Takes what has come for the whole answer, if it is one. */
  takeIfWhole(): void;
  /** Ends the attempt as failed. */
  abort(): void;
}

const openBrace = 0x7b;
const closeBrace = 0x7d;

/** White space and the bytes of a byte order mark, which may stand around a body. */
const blanks = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]);
const isBlank = (byte: number): boolean => blanks.has(byte);

const firstByte = (body: Buffer): number => body.find((byte) => !isBlank(byte)) ?? 0;
const lastByte = (body: Buffer): number => body.findLast((byte) => !isBlank(byte)) ?? 0;

/** A body by what it is, since its content type may be wrong: one JSON object, or the events of a stream. Null: neither. */
const readAnswer = (body: Buffer): JsonAnswer | null => {
  if (firstByte(body) === openBrace) return parseChunk(body.toString('utf8').replace(/^\ufeff/, ''));
  const reader = createEventReader();
  const events = [...reader.feed(body), ...reader.end()];
  return reader.state() === 'malformed' ? null : answerOfChunks(events.map(wholeChunk));
};

/** The bytes of one answer as they come. */
interface Body {
  /** How many there are now. */
  add(bytes: Buffer): number;
  whole(): Buffer;
  /** The answer, if what has come is whole. */
  answer(): JsonAnswer | null;
}

const createBody = (): Body => {
  const chunks: Buffer[] = [];
  let length = 0;
  const whole = (): Buffer => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  return {
    add: (bytes) => {
      chunks.push(bytes);
      return (length += bytes.length);
    },
    whole,
    // A long body is only tried where its end can be one.
    answer: () => (length > 0 && (length < 1_024 || lastByte(chunks.at(-1)!) === closeBrace) ? readAnswer(whole()) : null),
  };
};

/** Collects one JSON answer. `nowMs` stamps the attempt; `onData` is told how many bytes have come, and answers a failure to end it. */
export const createJsonAttempt = (attempt: Attempt, bytesMax: number, nowMs: () => number, onData: (bytes: number) => Failure | null): JsonAttempt => {
  let settle!: (outcome: JsonOutcome) => void;
  const outcome = new Promise<JsonOutcome>((resolve) => {
    settle = resolve;
  });
  const body = createBody();
  let headers: Record<string, string | string[] | undefined> = {};
  let controller: Dispatcher.DispatchController | null = null;
  let over = false;
  let aborted = false;

  const finish = (result: JsonOutcome): void => {
    if (over) return;
    over = true;
    attempt.endedMs ??= nowMs();
    if ('failure' in result) attempt.errorCode ??= result.failure.code;
    else attempt.upstreamId = readUpstreamId(result.answer['id']);
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
      if (over) return;
      attempt.firstTokenMs ??= nowMs();
      const length = body.add(chunk);
      const failure = length > bytesMax ? malformedAnswer() : onData(length);
      if (failure === null) return;
      finish({ failure });
      from.abort(new Error('the answer is not taken'));
    },
    onResponseEnd() {
      if (attempt.upstreamStatus !== 200) {
        attempt.firstTokenMs = null;
        return finish({ failure: statusFailure(attempt.upstreamStatus ?? 0, headers['retry-after'], body.whole(), [attempt.lane.upstreamModel]) });
      }
      const answer = over ? null : readAnswer(body.whole());
      finish(answer ? { answer } : { failure: malformedAnswer() });
    },
    onResponseError(_controller, error) {
      // After a complete answer the state of the connection does not matter.
      const answer = over || aborted || attempt.upstreamStatus !== 200 ? null : body.answer();
      finish(answer ? { answer } : { failure: connectionFailure(error) });
    },
  };
  return {
    handler,
    outcome,
    isStarted: () => controller !== null,
    takeIfWhole: () => {
      const answer = over || attempt.upstreamStatus !== 200 ? null : body.answer();
      if (!answer) return;
      finish({ answer });
      controller?.abort(new Error('the answer is whole'));
    },
    abort: () => {
      aborted = true;
      controller?.abort(new Error('aborted'));
    },
  };
};
