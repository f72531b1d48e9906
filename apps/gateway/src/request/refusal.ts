import { ContractError, errorCatalogue, type ErrorCode } from '@kilotoken/contracts';
import { AppError, toHttpError } from '@kilotoken/platform';

/** A refusal of a request, with a code of the catalogue in `libs/contracts`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly param: string | null = null,
    /** Details for the log. */
    readonly details: Readonly<Record<string, unknown>> = {},
    /** Headers of the answer. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_value',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'invalid_value',
  415: 'unsupported_media_type',
  503: 'service_unavailable',
};

/** Any error as a refusal. An unexpected one becomes `internal_error`; the log has its details. */
export const toRefusal = (error: unknown): Refusal => {
  if (error instanceof Refusal) return error;
  if (error instanceof ContractError) return new Refusal(error.code, error.message, error.param);
  if (error instanceof AppError) {
    const code = error.code === 'draining' ? 'server_draining' : error.code;
    if (code in errorCatalogue) return new Refusal(code as ErrorCode, error.publicMessage, null, error.details);
  }
  const { status, publicMessage } = toHttpError(error);
  return new Refusal(codeOfStatus[status] ?? (status < 500 ? 'invalid_value' : 'internal_error'), publicMessage);
};
