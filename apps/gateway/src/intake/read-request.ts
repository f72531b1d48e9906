import { ContractError, type RequestFacts, type ScannedBody } from '@kilotoken/contracts';
import { factsOf, type RequestParams, type UpstreamOptions } from '@kilotoken/openai';
import { type Offload, OffloadError } from '@kilotoken/platform/offload';
import type { Operation } from '../request/operation.js';
import type { LargeRequest, RawBody, SmallRequest } from '../request/read-request.js';
import { Refusal } from '../request/refusal.js';
import type { ReadingJobs } from './reading.jobs.js';
import { parseRequest, printFor, type WholeRequest } from './whole-request.js';

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
  readonly threads: Offload<ReadingJobs>;
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
  if (!(error instanceof OffloadError)) throw error;
  throw new Refusal('service_unavailable', 'This gateway is reading too many large requests at the moment. Try again shortly.', null, { fault: error.fault });
};
