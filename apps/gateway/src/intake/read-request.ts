import { ContractError, type RequestFacts, type ScannedBody } from '@kilotoken/contracts';
import { factsOf, type RequestParams, type UpstreamOptions } from '@kilotoken/openai';
import type { Operation } from '../relay/generation.js';
import type { RawBody } from './jobs.js';
import { refusalOfOffload, type Threads } from './threads.js';
import { parseRequest, printFor, type WholeRequest } from './whole-request.js';

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
  readonly whole: WholeRequest['request'];
  /** The body for a lane. */
  body(options: UpstreamOptions): string;
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

/** A class, since its facts are made when they are first asked for: a request that is refused before needs none. */
class InlineRequest implements SmallRequest {
  private known: RequestFacts | null = null;

  constructor(private readonly parsed: WholeRequest) {}

  get whole(): WholeRequest['request'] {
    return this.parsed.request;
  }

  get params(): RequestParams {
    return this.parsed.request;
  }

  get facts(): RequestFacts {
    this.known ??= factsOf(this.parsed.request);
    return this.known;
  }

  body(options: UpstreamOptions): string {
    return printFor(this.parsed, options);
  }
}

/** Throws a `ContractError`. */
export const readSmall = (scanned: ScannedBody, operation: Operation): SmallRequest => new InlineRequest(parseRequest(scanned, operation));

export const smallRequest = (request: WholeRequest['request']): SmallRequest => new InlineRequest({ request, isExact: false });

export interface LargeReading {
  readonly threads: Threads;
  readonly raw: RawBody;
  readonly apiKeyId: string;
  readonly needsHash: boolean;
}

/** Rejects with a `ContractError`, or with a Refusal where no thread has time for it. */
export const readLarge = async ({ threads, raw, apiKeyId, needsHash }: LargeReading): Promise<LargeRequest> => {
  const reading = await threads.run('readBody', { ...raw, needsHash }, apiKeyId).catch(refuseForThreads);
  if ('refused' in reading) throw new ContractError(reading.refused.code, reading.refused.message, reading.refused.param);
  const { params, facts, hash } = reading;
  return {
    whole: null,
    params,
    facts,
    raw,
    hash,
    body: async (options) => new Uint8Array(await threads.run('buildBody', { ...raw, options }, apiKeyId).catch(refuseForThreads)),
  };
};

const refuseForThreads = (error: unknown): never => {
  throw refusalOfOffload(error);
};
