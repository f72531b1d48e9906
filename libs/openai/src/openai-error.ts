import { errorCatalogue, type ErrorCode } from '@kilotoken/contracts';

/** The gateway's errors in OpenAI's shape, so that OpenAI's SDKs raise their own exception classes. */
export type OpenAiErrorBody = {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: ErrorCode;
    /** Of an `idempotency_conflict`: what the key's first request made of it, and what that cost. */
    readonly generation?: unknown;
  };
};

/** The JSON body of an error, and the object of a stream's last event when a stream ends with one. */
export const openAiErrorBody = (code: ErrorCode, message: string, param: string | null = null, generation?: unknown): OpenAiErrorBody => ({
  error: { message, type: errorCatalogue[code].type, param, code, ...(generation === undefined ? {} : { generation }) },
});
