import { Injectable } from '@nestjs/common';
import { imageTokensDefault, type TokenCounts } from '@kilotoken/contracts';
import type { StreamState } from '@kilotoken/openai';
import type { Lane } from '@kilotoken/marketplace';
import { foldUndeclared } from '@kilotoken/pricing';
import type { LargeRequest, ReadRequest } from '../request/read-request.js';
import { absorbedLengthMin, AnswerMeter } from './answer-meter.js';
import type { PromptOutput } from './counting.jobs.js';
import { promptPartsOf, type PromptParts } from './prompt-parts.js';
import type { TokenCounter } from './token-counter.service.js';

/** The facts about a request that its estimate needs. */
export interface Estimated {
  readonly request: ReadRequest;
  readonly organizationId: string;
  /** The bounds that the hold was made for: no estimate is above them. */
  readonly promptTokensMax: bigint;
  readonly outputTokensMax: number;
  /** The most tokens of one image; null where the model does not say. */
  readonly imageTokens: number | null;
}

type EstimatedLane = Pick<Lane, 'tokenizer' | 'tokenClasses'>;

interface PromptCount {
  known: TokenCounts | null;
  readonly counts: TokenCounts | Promise<TokenCounts>;
}

/**
 * Counts that a vendor did not give, by the lane's tokenizer over what was sent and what was delivered. They are marked
 * `estimated` wherever they are shown. Each is bounded in work and by what is held.
 */
@Injectable()
export class Estimator {
  /** A prompt is counted once for each tokenizer, however often its request is checkpointed. */
  private readonly prompts = new WeakMap<object, Map<string, PromptCount>>();
  /** An answer is of one lane, so of one tokenizer. */
  private readonly meters = new WeakMap<StreamState, AnswerMeter>();

  constructor(private readonly counter: TokenCounter) {}

  /** For every piece of an answer: a long one is counted while it comes, so that its text need not be kept. */
  absorb(state: StreamState, tokenizer: string, organizationId: string): void {
    if (state.keptLength >= absorbedLengthMin) this.meter(state, tokenizer, organizationId).take(state);
  }

  /** All of it, at the end. Without a state nothing was delivered, and the prompt alone counts. */
  total(estimated: Estimated, lane: EstimatedLane, state: StreamState | null): TokenCounts | Promise<TokenCounts> {
    const prompt = this.prompt(estimated, lane.tokenizer).counts;
    const answer = state ? this.meter(state, lane.tokenizer, estimated.organizationId).total(state) : {};
    if (!(prompt instanceof Promise) && !(answer instanceof Promise)) return join(prompt, answer, estimated, lane);
    return Promise.all([prompt, answer]).then(([sent, delivered]) => join(sent, delivered, estimated, lane));
  }

  /** The counts that are known at once; null until the prompt has been counted. Unknown parts are counted for the next call. */
  soFar(estimated: Estimated, lane: EstimatedLane, state: StreamState): TokenCounts | null {
    const answer = this.meter(state, lane.tokenizer, estimated.organizationId).soFar(state);
    const { known } = this.prompt(estimated, lane.tokenizer);
    return known && join(known, answer, estimated, lane);
  }

  private meter(state: StreamState, tokenizer: string, organizationId: string): AnswerMeter {
    const meter = this.meters.get(state) ?? new AnswerMeter(this.counter, tokenizer, organizationId);
    this.meters.set(state, meter);
    return meter;
  }

  private prompt(estimated: Estimated, tokenizer: string): PromptCount {
    const counts = this.prompts.get(estimated.request) ?? new Map<string, PromptCount>();
    this.prompts.set(estimated.request, counts);
    const count = counts.get(tokenizer) ?? this.countPrompt(estimated, tokenizer);
    counts.set(tokenizer, count);
    return count;
  }

  private countPrompt(estimated: Estimated, tokenizer: string): PromptCount {
    const { request, organizationId } = estimated;
    const bound = Number(estimated.promptTokensMax);
    if (request.whole === null) return promised(this.countLarge(request, tokenizer, bound, organizationId).then((parts) => promptCounts(parts, parts.textTokens, estimated)));
    const parts = promptPartsOf(request.whole);
    const text = this.counter.count(tokenizer, parts.texts, bound, organizationId);
    if (text instanceof Promise) return promised(text.then((tokens) => promptCounts(parts, tokens, estimated)));
    const counts = promptCounts(parts, text, estimated);
    return { known: counts, counts };
  }

  /** Text in the sample of a body may belong to an image, so the estimate is bounded by the possible text. */
  private async countLarge({ raw, facts }: LargeRequest, tokenizer: string, bound: number, organizationId: string): Promise<PromptOutput> {
    const parts = await this.counter.countPrompt(tokenizer, raw.raw, bound, organizationId);
    const textTokensMax = facts.promptTokens.reduce((sum, tokens) => sum + tokens, 0);
    const { images, tokens } = facts.media;
    return {
      ...parts,
      textTokens: Math.min(parts.textTokens, textTokensMax),
      tokens: Math.max(parts.tokens, Math.ceil(tokens - parts.audioTokens)),
      images: Math.max(parts.images, images),
      isUnbounded: parts.isUnbounded || tokens === Infinity,
    };
  }
}

const promised = (counts: Promise<TokenCounts>): PromptCount => {
  const count: PromptCount = {
    known: null,
    counts: counts.then((counted) => {
      count.known = counted;
      return counted;
    }),
  };
  return count;
};

/** Text first, then what is left of the bound for sound and images: no more than a class may have, and all at most the bound. */
const promptCounts = (parts: Omit<PromptParts, 'texts'>, textTokens: number, { promptTokensMax, imageTokens }: Estimated): TokenCounts => {
  const bound = Number(promptTokensMax);
  if (parts.isUnbounded) return { input: bound };
  const input = Math.min(bound, textTokens + parts.tokens);
  const audio = Math.min(bound - input, parts.audioTokens);
  const images = Math.min(bound - input - audio, parts.images * (imageTokens ?? imageTokensDefault));
  return { input, ...(audio > 0 ? { audio_in: audio } : {}), ...(images > 0 ? { image_in: images } : {}) };
};

/** In the classes that the lane has: one that it lacks is part of plain input or output, and no fault of its vendor. */
const join = (prompt: TokenCounts, answer: TokenCounts, { outputTokensMax }: Estimated, { tokenClasses }: EstimatedLane): TokenCounts => {
  const reasoning = Math.min(answer.reasoning ?? 0, outputTokensMax);
  const audio = Math.min(answer.audio_out ?? 0, outputTokensMax - reasoning);
  const output = Math.min(answer.output ?? 0, outputTokensMax - reasoning - audio);
  return foldUndeclared({ ...prompt, output, ...(reasoning > 0 ? { reasoning } : {}), ...(audio > 0 ? { audio_out: audio } : {}) }, tokenClasses).counts;
};
