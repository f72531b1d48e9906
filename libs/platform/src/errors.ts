/**
 * One error type for what a caller may be told. The kind decides the status, the code is stable and documented, and
 * `publicMessage` and the `values` in it are all that leaves the process; `details` and `cause` are for our log alone.
 */
export const errorKinds = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'exhausted',
  'unavailable',
  'bug',
] as const;

export type ErrorKind = (typeof errorKinds)[number];

/** The one table from kind to HTTP status. A face with a contract of its own (OpenAI's 402) refuses with data instead. */
export const httpStatusOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  exhausted: 429,
  unavailable: 503,
  bug: 500,
};

export type PublicValues = Readonly<Record<string, string | number>>;

export interface AppErrorFields {
  /** snake_case, unique in the code base, never reused for another meaning. */
  readonly code: string;
  readonly kind: ErrorKind;
  readonly publicMessage: string;
  /** The values that the message names, for those who tell it in another language. */
  readonly values?: PublicValues;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class AppError extends Error {
  override readonly name: string = 'AppError';
  readonly code: string;
  readonly kind: ErrorKind;
  readonly publicMessage: string;
  readonly values: PublicValues;
  readonly details: Readonly<Record<string, unknown>>;

  constructor({ code, kind, publicMessage, values = {}, details = {}, cause }: AppErrorFields) {
    super(`${code}: ${publicMessage}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.kind = kind;
    this.publicMessage = publicMessage;
    this.values = values;
    this.details = details;
  }
}

export interface HttpError {
  readonly status: number;
  readonly code: string;
  readonly publicMessage: string;
}

const bug: HttpError = { status: httpStatusOfKind.bug, code: 'internal', publicMessage: 'Something went wrong on our side.' };

/** Our errors for the framework's own refusals (body too large, unknown route, …), which have only a status. */
const refusals: Readonly<Record<number, Omit<HttpError, 'status'>>> = {
  400: { code: 'bad_request', publicMessage: 'The request is malformed.' },
  404: { code: 'not_found', publicMessage: 'There is nothing at this address.' },
  408: { code: 'request_timeout', publicMessage: 'The request took too long to arrive.' },
  413: { code: 'body_too_large', publicMessage: 'The body is larger than this service accepts.' },
  414: { code: 'address_too_long', publicMessage: 'The address is too long.' },
  415: { code: 'unsupported_media_type', publicMessage: 'The content type is not supported.' },
  503: { code: 'unavailable', publicMessage: 'The service is not available at the moment. Try again shortly.' },
};

const statusOf = (error: unknown): number | null => {
  if (typeof error !== 'object' || error === null) return null;
  // Fastify's errors carry `statusCode`, Nest's answer `getStatus()`.
  if ('getStatus' in error && typeof error.getStatus === 'function') return Number(error.getStatus());
  return 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : null;
};

/** Any error as the caller sees it. Foreign errors reveal nothing, because their messages may quote a secret. */
export const toHttpError = (error: unknown): HttpError => {
  if (error instanceof AppError) {
    if (error.kind === 'bug') return { ...bug, code: error.code };
    return { status: httpStatusOfKind[error.kind], code: error.code, publicMessage: error.publicMessage };
  }
  const status = statusOf(error);
  if (status === null || status < 400) return bug;
  const refusal = refusals[status];
  if (refusal) return { status, ...refusal };
  return status < 500 ? { status, code: 'bad_request', publicMessage: 'The request was refused.' } : bug;
};
