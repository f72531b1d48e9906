import { buildUpstreamBody, factsOf, type ChatCompletionRequest, type CompletionRequest, type RequestFacts, type RequestParams, type UpstreamOptions } from '@kilotoken/contracts';

/**
 * A request whose body was read and accepted. A small one is an object in this thread, and nothing of it is waited for. The
 * bulk of a large one stays bytes, which worker threads parse whenever a part of it is needed.
 */
export type ReadRequest = SmallRequest;

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

/** A class, since its facts are made when they are first asked for: a request that is refused before needs none. */
class InlineRequest implements SmallRequest {
  private known: RequestFacts | null = null;

  constructor(readonly whole: ChatCompletionRequest | CompletionRequest) {}

  get params(): RequestParams {
    return this.whole;
  }

  get facts(): RequestFacts {
    this.known ??= factsOf(this.whole);
    return this.known;
  }

  body(options: UpstreamOptions): string {
    return JSON.stringify(buildUpstreamBody(this.whole, options));
  }
}

export const smallRequest = (whole: ChatCompletionRequest | CompletionRequest): SmallRequest => new InlineRequest(whole);
