import { buildUpstreamBody, type ChatCompletionRequest, type CompletionRequest, parseChatCompletion, parseCompletion, restoreNumbers, type UpstreamOptions } from '@kilotoken/openai';
import { parseScannedBody, printExactly, type ScannedBody } from '@kilotoken/contracts';
import type { Operation } from '../request/operation.js';

/** A request as an object, with all of its bulk: in the event loop's thread where it is small, else in a worker's. Pure. */
export interface WholeRequest {
  readonly request: ChatCompletionRequest | CompletionRequest;
  /** It may hold numbers that only `printExactly` prints. */
  readonly isExact: boolean;
}

/** Throws a `ContractError`. */
export const parseRequest = (scanned: ScannedBody, operation: Operation): WholeRequest => {
  const value = parseScannedBody(scanned);
  const request = operation === 'chat.completions' ? parseChatCompletion(value) : parseCompletion(value);
  return { request: scanned.hasLongNumbers ? restoreNumbers(request, scanned.text) : request, isExact: scanned.hasLongNumbers };
};

export const printFor = ({ request, isExact }: WholeRequest, options: UpstreamOptions): string => {
  const body = buildUpstreamBody(request, options);
  return isExact ? printExactly(body) : JSON.stringify(body);
};
