import { ContractError, type ErrorCode, type RequestFacts, scanJsonBody } from '@kilotoken/contracts';
import { factsOf, paramsOf, type RequestParams, type UpstreamOptions } from '@kilotoken/openai';
import type { RawBody } from '../request/read-request.js';
import { hashRequest } from './request-hash.js';
import { parseRequest, printFor } from './whole-request.js';

/** Jobs of worker threads that read large bodies. */
export interface ReadingJobs {
  readBody(input: RawBody & { readonly needsHash: boolean }): ReadingDone | ReadingRefused;
  buildBody(input: RawBody & { readonly options: UpstreamOptions }): SharedArrayBuffer;
}

/** A `ContractError` as data: its class would not survive the way back. */
export interface ReadingRefused {
  readonly refused: { readonly code: ErrorCode; readonly message: string; readonly param: string | null };
}

export interface ReadingDone {
  readonly params: RequestParams;
  readonly facts: RequestFacts;
  /** Null where nobody asked for it. */
  readonly hash: Uint8Array | null;
}

/** Reads a body as `smallRequest` does, and gives back all of it that is small. */
export const readBody = ({ operation, raw, needsHash }: RawBody & { readonly needsHash: boolean }): ReadingDone | ReadingRefused => {
  const bytes = new Uint8Array(raw);
  try {
    const { request } = parseRequest(scanJsonBody(bytes), operation);
    return { params: paramsOf(request), facts: factsOf(request), hash: needsHash ? Uint8Array.from(hashRequest(operation, bytes)) : null };
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return { refused: { code: error.code, message: error.message, param: error.param } };
  }
};

/** The body for a lane, of a body that `readBody` accepted. */
export const buildBody = ({ operation, raw, options }: RawBody & { readonly options: UpstreamOptions }): SharedArrayBuffer => {
  const text = printFor(parseRequest(scanJsonBody(new Uint8Array(raw)), operation), options);
  const shared = new SharedArrayBuffer(Buffer.byteLength(text));
  Buffer.from(shared).write(text);
  return shared;
};
