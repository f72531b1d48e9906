import type { ErrorCode } from '@kilotoken/contracts';
import { Refusal } from '../request/refusal.js';
import { kindOf, type FailureKind } from './failure-kind.js';
import { readErrorBody, readVendorError, type VendorError } from './vendor-error.js';
import { customerParam, customerText } from './vendor-text.js';

/** What an operator has to know of a failed attempt. The text is as the vendor wrote it: redact it before it is logged. */
export interface OperatorNotice {
  /** `account`: our key, credit, plan, or what the lane names. `rate`: what the vendor lets us send. `connection`: how we reach it. */
  readonly kind: 'account' | 'rate' | 'connection';
  readonly status: number | null;
  readonly text: string;
}

/**
 * Why an attempt failed before its first byte reached the client. Pure. `mayMove`: another lane may be tried; a request that
 * a vendor found wrong is wrong everywhere.
 */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: string | null;
  readonly mayMove: boolean;
  /** The connection broke before anything came: the one kind that is tried again on the same lane. */
  readonly broken: boolean;
  readonly retryAfter: string | null;
  /** We ended it ourselves, because nobody waits for the answer any more. */
  readonly clientLeft: boolean;
  /** Null where the operator can do nothing about it. */
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

/** A lane that cannot be asked, or whose answer cannot be read, by how we are set up: asking it again does not help. */
export class LaneError extends Error {
  override readonly name = 'LaneError';
}

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);
/** How undici says that a proxy refused. */
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
/** The answer stopped before anything said that it was whole. */
export const endedEarly = (): Failure => failure('upstream_error', 'The model ended before its answer was complete.');
/** Status 200, and nothing in it: no text, no finish reason. */
export const emptyAnswer = (): Failure => failure('upstream_error', 'The model answered with nothing.');
/** The answers that wait for slow readers have taken up the memory that there is for them. */
export const noRoom = (): Failure => failure('service_unavailable', 'Too many large answers of yours wait to be read. Try again shortly.', { mayMove: false });
export const malformedAnswer = (): Failure => failure('upstream_error', 'The model answered with something that is no answer.');

const retryAfterOf = (header: string | string[] | undefined): string | null =>
  typeof header === 'string' && /^\d{1,5}$/.test(header) ? header : null;

/** The customer's own errors: the code, the words where the vendor's say nothing that may be passed on, and the parameter. */
const customerFailures: Readonly<Record<'context' | 'content' | 'request', readonly [ErrorCode, string, string | null]>> = {
  context: ['context_length_exceeded', 'The prompt is longer than the context of the model.', 'messages'],
  content: ['invalid_value', 'The content policy of the model refused the request.', null],
  request: ['invalid_value', 'The model refused the request.', null],
};

interface Answered {
  readonly status: number;
  readonly retryAfter?: string | string[] | undefined;
  /** Names of the lane that a customer must not read, such as what the vendor calls the model. */
  readonly hidden?: readonly string[];
}

const failureOf = (said: VendorError, { status, retryAfter, hidden = [] }: Answered): Failure => {
  const kind: FailureKind = kindOf(said, status);
  const noticeOf = (of: 'account' | 'rate'): OperatorNotice => ({ kind: of, status, text: said.message ?? said.codes.join(' ') });
  switch (kind) {
    case 'account':
      return failure('lane_unavailable', 'The model is not available at the moment.', { notice: noticeOf('account') });
    case 'rate':
      return failure('queue_full', 'The model is at its capacity. Try again shortly.', { retryAfter: retryAfterOf(retryAfter) ?? '1', notice: noticeOf('rate') });
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
 * What a status other than 200 means. A vendor's own text is passed on only where it is about the request: what is about our
 * account with the vendor goes to the operator instead.
 */
export const statusFailure = (status: number, retryAfter: string | string[] | undefined, body: Buffer, hidden: readonly string[] = []): Failure =>
  failureOf(readErrorBody(body), { status, retryAfter, hidden });

/**
 * What an error object means that stands in an answer of status 200 or in a stream, in any shape that vendors use:
 * `{ message, code }`, a text, or the whole body with `error` in it. A status that the error names counts.
 */
export const failureOfError = (error: unknown, status = 200, hidden: readonly string[] = []): Failure => {
  const said = readVendorError(error);
  return failureOf(said, { status: said.status ?? status, hidden });
};

export const refusalOf = (failed: Failure): Refusal => new Refusal(failed.code, failed.message, failed.param, failed.retryAfter ? { retryAfter: failed.retryAfter } : {});
