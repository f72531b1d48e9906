import type { ErrorCode } from '@kilotoken/contracts';
import { Refusal } from '../refusal.js';

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
}

const failure = (code: ErrorCode, message: string, more: Partial<Failure> = {}): Failure => ({
  code,
  message,
  param: null,
  mayMove: true,
  broken: false,
  retryAfter: null,
  clientLeft: false,
  ...more,
});

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** The connection failed, timed out or was aborted by one of our own limits. */
export const connectionFailure = (error: unknown): Failure => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return timeoutCodes.has(code)
    ? failure('upstream_timeout', 'The model did not answer in time.')
    : failure('upstream_error', 'The connection to the model failed.', { broken: true });
};

export const timedOut = (): Failure => failure('upstream_timeout', 'The model did not answer in time.', { mayMove: false });
export const malformedAnswer = (): Failure => failure('upstream_error', 'The model answered with something that is no answer.');

const messageLengthMax = 300;

interface VendorError {
  message?: unknown;
  code?: unknown;
  param?: unknown;
}

const errorIn = (body: Buffer): VendorError => {
  try {
    const parsed = JSON.parse(body.toString('utf8')) as { error?: unknown } | null;
    return typeof parsed?.error === 'object' && parsed.error !== null ? (parsed.error as VendorError) : {};
  } catch {
    // A vendor may answer an error with a page: its status says enough.
    return {};
  }
};

const printable = (text: unknown): string | null =>
  // eslint-disable-next-line no-control-regex -- control characters are what must not pass
  typeof text === 'string' ? text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, messageLengthMax) : null;

const retryAfterOf = (header: string | string[] | undefined): string | null =>
  typeof header === 'string' && /^\d{1,5}$/.test(header) ? header : null;

/** What a status other than 200 means. A vendor's own text is passed on only where it is about the request. */
export const statusFailure = (status: number, retryAfter: string | string[] | undefined, body: Buffer): Failure => {
  const said = errorIn(body);
  if (said.code === 'context_length_exceeded') {
    return failure('context_length_exceeded', printable(said.message) ?? 'The prompt is longer than the context of the model.', { param: 'messages', mayMove: false });
  }
  if (status === 400 || status === 413 || status === 422) {
    return failure('invalid_value', printable(said.message) ?? 'The model refused the request.', { param: printable(said.param), mayMove: false });
  }
  if (status === 429) return failure('queue_full', 'The model is at its capacity. Try again shortly.', { retryAfter: retryAfterOf(retryAfter) ?? '1' });
  if (status === 503 || status === 529) return failure('lane_unavailable', 'The model is not available at the moment.', { retryAfter: retryAfterOf(retryAfter) });
  return failure('upstream_error', 'The model failed to answer.');
};

export const refusalOf = (failed: Failure): Refusal => new Refusal(failed.code, failed.message, failed.param, failed.retryAfter ? { retryAfter: failed.retryAfter } : {});
