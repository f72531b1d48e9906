/**
 * One request on its way: who asked for what, what is held, which lanes were tried and what they answered. From it come the
 * usage rows, at the end or at a checkpoint. Pure.
 */
import { completionTokens, promptTokens, type TokenClass, type TokenCounts } from '@kilotoken/contracts';
import { allocate, type Hold } from '@kilotoken/funding';
import type { Lane } from '@kilotoken/marketplace';
import { formatMoney, minMoney, type Money } from '@kilotoken/money';
import type { RequestTrace } from '@kilotoken/platform';
import { foldUndeclared, rateUsage, type Rating } from '@kilotoken/pricing';
import type { Estimated } from '../counting/estimator.service.js';
import type { Caller } from '../request/caller.js';
import type { LimitHold } from '../request/limit-hold.js';
import type { Operation } from '../request/operation.js';
import type { Plan } from '../request/plan.js';
import type { ReadRequest } from '../request/read-request.js';
import { storableMoment, storableMomentOrNull, storableOffsetMs, storableStatus, storableStatusOrNull, storableTags, storableText, storableTextOrNull, storableTokens, textLengths } from './diagnostics.js';

/** How a request or one of its attempts ended; `running` only in a checkpoint, as the reaper would bill it. */
export type Outcome = 'completed' | 'client_closed' | 'upstream_failed' | 'interrupted';

export interface Attempt {
  readonly lane: Lane;
  readonly startedMs: number;
  firstTokenMs: number | null;
  endedMs: number | null;
  upstreamStatus: number | null;
  upstreamId: string | null;
  errorCode: string | null;
}

/** The moments that a request marks in its trace; `generation-trace.ts` makes spans of them. */
export interface GenerationMarks {
  readonly request: RequestTrace;
  settling(ending: Ending): void;
  settled(flush: bigint): void;
}

export interface Generation {
  readonly id: string;
  readonly caller: Caller;
  readonly operation: Operation;
  readonly stream: boolean;
  readonly tierAsked: string;
  readonly endUser: string | null;
  readonly tags: Record<string, string> | null;
  readonly plan: Plan;
  readonly hold: Hold;
  /** What it reserved under its limits; null where it is under none. */
  readonly limits: LimitHold | null;
  readonly maxTokens: number;
  readonly admittedMs: number;
  readonly clockOffsetMs: number;
  readonly attempts: Attempt[];
  opened: boolean;
  /** Its place among the running requests while it is one. */
  slot: number | null;
  readonly trace: GenerationMarks | null;
}

export interface Charge {
  readonly counts: TokenCounts;
  readonly estimated: boolean;
  readonly rating: Rating;
  /** min(rated, hold): never above the hold. */
  readonly charge: Money;
  readonly undeclared: readonly string[];
}

const nothing: Rating = { lines: [], total: 0n };
export const noCharge: Charge = { counts: {}, estimated: false, rating: nothing, charge: 0n, undeclared: [] };

/** What counts are worth on this request's pinned price and hold. */
export const chargeFor = (generation: Generation, lane: Lane, counts: TokenCounts, estimated: boolean): Charge => {
  const folded = foldUndeclared(counts, lane.tokenClasses);
  const rating = rateUsage(folded.counts, generation.plan.price.rates);
  return { counts: folded.counts, estimated, rating, charge: minMoney(rating.total, generation.hold.total), undeclared: folded.undeclared };
};

/** What an estimate of this request needs; no count is above what the hold was made for. */
export const estimatedOf = ({ plan, caller, maxTokens }: Generation, request: ReadRequest): Estimated => ({
  request,
  organizationId: caller.organizationId,
  promptTokensMax: plan.promptTokensMax,
  outputTokensMax: maxTokens * plan.choices + Number(plan.predictedTokensMax),
  imageTokens: plan.model.imageTokens,
});

type Rates = Plan['price']['rates'];

/** A lane's cost as rates; lanes change only with the catalogue. */
const costRates = new WeakMap<Lane, Rates>();

const costRatesOf = (lane: Lane): Rates => {
  const known = costRates.get(lane);
  if (known) return known;
  const { per, rates } = lane.cost;
  // A class that the lane's cost does not name costs what its parent costs; where that is unknown too, nothing is known.
  const named = Object.entries({ input: 0n, output: 0n, ...rates });
  const made: Rates = new Map(named.map(([name, amount]) => [name as TokenClass, { amount: amount ?? 0n, per }]));
  costRates.set(lane, made);
  return made;
};

const costOf = (lane: Lane, counts: TokenCounts): Money => rateUsage(counts, costRatesOf(lane)).total;

/** Allocations with the tokens that each amount paid for: whole tokens, the last one has what is left. */
const allocationsOf = (generation: Generation, { charge, counts }: Charge): object[] => {
  const allocations = allocate(generation.hold, charge);
  let tokensLeft = promptTokens(counts) + completionTokens(counts);
  const tokens = BigInt(tokensLeft);
  return allocations.map(({ leaseId, grantId, amount }, index) => {
    const share = index === allocations.length - 1 ? tokensLeft : Number((tokens * amount) / charge);
    tokensLeft -= share;
    return { grant: grantId, lease: leaseId, unit: generation.plan.price.currency, tokens: share, amount: formatMoney(amount) };
  });
};

export interface Ending {
  readonly outcome: Outcome;
  /** What the client was answered, or would have been. */
  readonly status: number;
  readonly errorCode: string | null;
  readonly finishReason: string | null;
  readonly finishedMs: number;
  readonly charge: Charge;
}

const attemptRow = (generation: Generation, attempt: Attempt, number: number, ending: Ending): object => {
  const { caller, plan, hold } = generation;
  const { charge } = ending;
  return {
    organization: caller.organizationId,
    id: generation.id,
    attempt: number,
    root: caller.accountRootId,
    project: caller.projectId,
    key: caller.apiKeyId,
    user: storableTextOrNull(generation.endUser, textLengths.endUser),
    tags: storableTags(generation.tags),
    operation: generation.operation,
    mode: 'realtime',
    stream: generation.stream,
    model: plan.model.id,
    tier_asked: storableText(generation.tierAsked, textLengths.reason),
    tier_served: 'standard',
    outcome: ending.outcome,
    status: storableStatus(ending.status),
    error: storableTextOrNull(ending.errorCode, textLengths.reason),
    finish: storableTextOrNull(ending.finishReason, textLengths.reason),
    lane: attempt.lane.id,
    upstream_model: attempt.lane.upstreamModel,
    upstream_id: storableTextOrNull(attempt.upstreamId, textLengths.upstreamId),
    upstream_status: storableStatusOrNull(attempt.upstreamStatus),
    counts: charge.counts,
    estimated: charge.estimated,
    context: storableTokens(promptTokens(charge.counts) + completionTokens(charge.counts)),
    max_tokens: storableTokens(generation.maxTokens),
    price: plan.price.id,
    unit: plan.price.currency,
    hold: formatMoney(hold.total),
    rated: formatMoney(charge.rating.total),
    charge: formatMoney(charge.charge),
    allocations: allocationsOf(generation, charge),
    cost: formatMoney(costOf(attempt.lane, charge.counts)),
    cost_currency: attempt.lane.cost.currency,
    offset_ms: storableOffsetMs(generation.clockOffsetMs),
    admitted: storableMoment(generation.admittedMs, attempt.startedMs),
    dispatched: storableMomentOrNull(attempt.startedMs),
    first_token: storableMomentOrNull(attempt.firstTokenMs),
    finished: storableMoment(ending.finishedMs, generation.admittedMs),
    opened: generation.opened,
  };
};

/** A row for each attempt: the last one carries the charge, those before it failed and carry none. */
const usageRows = (generation: Generation, ending: Ending): object[] =>
  generation.attempts.map((attempt, index) =>
    index === generation.attempts.length - 1
      ? attemptRow(generation, attempt, index, ending)
      : attemptRow(generation, attempt, index, {
          outcome: 'upstream_failed',
          status: 0,
          errorCode: attempt.errorCode,
          finishReason: null,
          finishedMs: attempt.endedMs ?? ending.finishedMs,
          charge: noCharge,
        }),
  );

/** The rows as `usage_insert` reads them: JSON objects, to be joined with those of other requests. */
export const usageRowsJson = (generation: Generation, ending: Ending): string => {
  const rows = usageRows(generation, ending);
  return rows.length === 1 ? JSON.stringify(rows[0]) : JSON.stringify(rows).slice(1, -1);
};

/** What an open row says is held, for whoever asks another gateway for the balance. */
export const holdsJson = ({ hold }: Generation): object[] => hold.parts.map(({ lease, amount }) => ({ lease: lease.id, grant: lease.grantId, amount: formatMoney(amount) }));
