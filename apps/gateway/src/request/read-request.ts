import type { RequestFacts } from '@kilotoken/contracts';
import type { ChatCompletionRequest, CompletionRequest, RequestParams, UpstreamOptions } from '@kilotoken/openai';
import type { Operation } from './operation.js';

/**
 * A request whose body was read and accepted. A small one is an object in this thread, and nothing of it is waited for. The
 * bulk of a large one stays bytes, which worker threads parse whenever a part of it is needed.
 */
export type ReadRequest = SmallRequest | LargeRequest;

/** The bytes, or the text, that a lane is sent. */
export type LaneBody = string | Uint8Array;

interface RequestParts {
  readonly params: RequestParams;
  readonly facts: RequestFacts;
}

export interface SmallRequest extends RequestParts {
  readonly whole: ChatCompletionRequest | CompletionRequest;
  /** The body for a lane. */
  body(options: UpstreamOptions): string;
}

/** A body as threads get it: shared, not copied. */
export interface RawBody {
  readonly operation: Operation;
  readonly raw: SharedArrayBuffer;
}

export interface LargeRequest extends RequestParts {
  readonly whole: null;
  /** For jobs of worker threads that need its bulk. */
  readonly raw: RawBody;
  /** Of the operation and the body, where it was asked for. */
  readonly hash: Uint8Array | null;
  /** The body for a lane. Rejects with a Refusal where no thread has time for it. */
  body(options: UpstreamOptions): Promise<Uint8Array>;
}
