import { ContractError, errorCatalogue, type ErrorCode } from '@kilotoken/contracts';
import { AppError, toHttpError } from '@kilotoken/platform';

/** An error as OpenAI's API tells it. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: string | null;
}

/** Codes of the platform's own hooks, in the words of the API. */
const renamed: Readonly<Record<string, ErrorCode>> = { draining: 'server_draining', internal_token_needed: 'invalid_api_key' };
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_value',
  401: 'invalid_api_key',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  415: 'unsupported_media_type',
  503: 'service_unavailable',
};

const isErrorCode = (code: string): code is ErrorCode => code in errorCatalogue;
const withStatus = (code: ErrorCode, message: string, param: string | null = null): Refusal => ({ status: errorCatalogue[code].status, code, message, param });

/** The refusal for the caller. An unexpected error becomes `internal_error`; the log has its details. */
export const toRefusal = (error: unknown): Refusal => {
  if (error instanceof ContractError) return withStatus(error.code, error.message, error.param);
  const { status, code, publicMessage } = toHttpError(error);
  const named = error instanceof AppError ? (renamed[code] ?? code) : codeOfStatus[status];
  return withStatus(named !== undefined && isErrorCode(named) ? named : (codeOfStatus[status] ?? 'internal_error'), publicMessage);
};
