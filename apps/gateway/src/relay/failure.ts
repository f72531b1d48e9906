import type { ErrorCode } from '@kilotoken/contracts';
import { Refusal } from '../request/refusal.js';
import { kindOf, type FailureKind } from './failure-kind.js';
import { readErrorBody, readVendorError, type VendorError } from './vendor-error.js';
import { customerParam, customerText } from './vendor-text.js';

/** A failed attempt's notice for the operator. The text is the vendor's own: redact it before logging. */
export interface OperatorNotice {
  /** `account`: our key, credit or plan, or a name in the lane. `rate`: the vendor's limits on us. `connection`: our route to it. */
  readonly kind: 'account' | 'rate' | 'connection';
  readonly status: number | null;
  readonly text: string;
}

/**
 * The failure of an attempt before its first byte reached the client. Pure. `mayMove`: another lane may be tried; a request
 * that one vendor rejects as wrong is wrong everywhere.
 */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: string | null;
  readonly mayMove: boolean;
  /** The connection broke before anything arrived: the only failure that is retried on the same lane. */
  readonly broken: boolean;
  readonly retryAfter: string | null;
  /** We ended the attempt, because nobody waits for the answer any more. */
  readonly clientLeft: boolean;
  /** Null if the operator can do nothing about it. */
  readonly notice: OperatorNotice | null;
}

const failure = (code: ErrorCode, message: string, more: Partial<Failure> = {}): Failure => ({
  code,
  message,
  param: null,
  mayMove: true,
  broken: false,
  retryAfter: null,
  clientLeft: false,
  notice: null,
  ...more,
});

/** Our own setup prevents asking the lane or reading its answer, so a retry does not help. */
export class LaneError extends Error {
  override readonly name = 'LaneError';
}

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);
/** undici's words when a proxy refused. */
const proxyRefusal = /\bproxy\b/i;

/** The connection failed, timed out or was aborted by one of our own limits. */
export const connectionFailure = (error: unknown): Failure => {
  if (error instanceof LaneError) return failure('lane_unavailable', 'The model is not available at the moment.', { notice: { kind: 'connection', status: null, text: error.message } });
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (timeoutCodes.has(code)) return failure('upstream_timeout', 'The model did not answer in time.');
  const notice = error instanceof Error && proxyRefusal.test(error.message) ? { kind: 'connection' as const, status: null, text: error.message } : null;
  return failure('upstream_error', 'The connection to the model failed.', { broken: notice === null, notice });
};

export const timedOut = (): Failure => failure('upstream_timeout', 'The model did not answer in time.', { mayMove: false });
/** The answer stopped without a sign that it was complete. */
export const endedEarly = (): Failure => failure('upstream_error', 'The model ended before its answer was complete.');
/** Status 200 with neither text nor finish reason. */
export const emptyAnswer = (): Failure => failure('upstream_error', 'The model returned an empty answer.');
/** Answers that wait for slow readers have used up their memory. */
export const noRoom = (): Failure => failure('service_unavailable', 'Too many of your large answers are waiting to be read. Try again shortly.', { mayMove: false });
export const malformedAnswer = (): Failure => failure('upstream_error', 'The model returned an invalid answer.');

const retryAfterOf = (header: string | string[] | undefined): string | null =>
  typeof header === 'string' && /^\d{1,5}$/.test(header) ? header : null;

/** The customer's own errors: the code, the text to use if the vendor's may not be passed on, and the parameter. */
const customerFailures: Readonly<Record<'context' | 'content' | 'request', readonly [ErrorCode, string, string | null]>> = {
  context: ['context_length_exceeded', "The prompt is longer than the model's context window.", 'messages'],
  content: ['invalid_value', "The model's content policy refused the request.", null],
  request: ['invalid_value', 'The model refused the request.', null],
};

interface Answered {
  readonly status: number;
  readonly retryAfter?: string | string[] | undefined;
  /** Names of the lane that customers must not see, such as the vendor's name for the model. */
  readonly hidden?: readonly string[];
}

const failureOf = (said: VendorError, { status, retryAfter, hidden = [] }: Answered): Failure => {
  const kind: FailureKind = kindOf(said, status);
  const noticeOf = (of: 'account' | 'rate'): OperatorNotice => ({ kind: of, status, text: said.message ?? said.codes.join(' ') });
  switch (kind) {
    case 'account':
      return failure('lane_unavailable', 'The model is not available at the moment.', { notice: noticeOf('account') });
    case 'rate':
      return failure('queue_full', 'The model is at capacity. Try again shortly.', { retryAfter: retryAfterOf(retryAfter) ?? '1', notice: noticeOf('rate') });
    case 'capacity':
      return failure('lane_unavailable', 'The model is not available at the moment.', { retryAfter: retryAfterOf(retryAfter) });
    case 'failed':
      return failure('upstream_error', 'The model failed to answer.');
    default: {
      const [code, words, param] = customerFailures[kind];
      const text = said.message === null ? null : customerText(said.message, hidden);
      return failure(code, text ?? words, { param: param ?? customerParam(said.param), mayMove: false });
    }
  }
};

/**
 * The failure behind a status other than 200. A vendor's own text is passed on only if it is about the request; text about our
 * account with the vendor goes to the operator.
 */
export const statusFailure = (status: number, retryAfter: string | string[] | undefined, body: Buffer, hidden: readonly string[] = []): Failure =>
  failureOf(readErrorBody(body), { status, retryAfter, hidden });

/**
 * The failure behind an error object in an answer of status 200 or in a stream, in any shape that vendors use:
 * `{ message, code }`, a text, or the whole body with `error` in it. The error's own status wins over `status`.
 */
export const failureOfError = (error: unknown, status = 200, hidden: readonly string[] = []): Failure => {
  const said = readVendorError(error);
  return failureOf(said, { status: said.status ?? status, hidden });
};

export const refusalOf = (failed: Failure): Refusal => new Refusal(failed.code, failed.message, failed.param, failed.retryAfter ? { retryAfter: failed.retryAfter } : {});
