/**
 * One request on its way: who asked for what, what is held, which lanes were tried and what they answered. From it come the
 * usage rows, at the end or at a checkpoint. Pure.
 */
import { completionTokens, promptTokens, type TokenClass, type TokenCounts } from '@kilotoken/contracts';
import { allocateCharges, type Holding } from '@kilotoken/funding';
import type { Lane } from '@kilotoken/marketplace';
import { formatMoney, type Money } from '@kilotoken/money';
import type { RequestTrace } from '@kilotoken/platform';
import { foldUndeclared, rateUsage } from '@kilotoken/pricing';
import { allocateTokens, chargeFields, noCharge, portionsOf, totalIn, writeUsageRows, type Allocation, type Charge, type UnitTerms, type UsageRow } from '@kilotoken/usage';
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
  readonly holding: Holding;
  /** The runs of the holding, in burn order, with the rates of their units. */
  readonly held: readonly HeldTerms[];
  /** Its reservation under its limits; null without limits. */
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

export type HeldTerms = UnitTerms & { readonly hold: Money };

/** The runs of a holding with the terms of their units. */
export const heldTerms = ({ units }: Plan, holding: Holding): HeldTerms[] =>
  holding.runs.map(({ of, amount }) => {
    const { unit, burnTableId, rates, rounding } = units.find((paying) => paying.unit === holding.units[of]!.unit)!;
    return { unit, burnTableId, rates, rounding, hold: amount };
  });

/** The charge for counts at the versions that this request is pinned to, within its holding. */
export const chargeFor = ({ held }: Pick<Generation, 'held'>, lane: Lane, counts: TokenCounts, estimated: boolean): Charge => {
  const folded = foldUndeclared(counts, lane.tokenClasses);
  return { counts: folded.counts, estimated, portions: portionsOf(folded.counts, held), undeclared: folded.undeclared };
};

/** The charge of each unit of the holding, in its order. */
export const chargesByUnit = ({ holding }: Pick<Generation, 'holding'>, { portions }: Charge): Money[] => holding.units.map(({ unit }) => totalIn(portions, unit).charge);

/** The inputs of an estimate of this request; no count exceeds the bounds of its hold. */
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

/** The leases that pay, each with the tokens that its amount pays for. */
const allocationsOf = ({ holding }: Generation, { portions }: Charge): Allocation[] => {
  const totals = holding.units.map(({ unit }) => totalIn(portions, unit));
  const payments = allocateCharges(holding, totals.map(({ charge }) => charge));
  return holding.units.flatMap(({ unit }, of) => allocateTokens(unit, payments[of]!, totals[of]!.charge, totals[of]!.tokens));
};

export interface Ending {
  readonly outcome: Outcome;
  /** The status that the client got, or would have got. */
  readonly status: number;
  readonly errorCode: string | null;
  readonly finishReason: string | null;
  readonly finishedMs: number;
  readonly charge: Charge;
}

const attemptRow = (generation: Generation, attempt: Attempt, number: number, ending: Ending): UsageRow => {
  const { caller, plan } = generation;
  // An attempt that is not charged says what was held for it.
  const charge = ending.charge === noCharge ? { ...noCharge, portions: portionsOf({}, generation.held) } : ending.charge;
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
    ...chargeFields(charge, plan.price.currency),
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
const usageRows = (generation: Generation, ending: Ending): UsageRow[] =>
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

/** The rows as `usage_insert` reads them. */
export const usageRowsJson = (generation: Generation, ending: Ending): string => writeUsageRows(usageRows(generation, ending));

/** The holds in an open row, for balances that other gateways report. */
export const holdsJson = ({ holding }: Generation): object[] =>
  holding.units.flatMap(({ hold }) => hold.parts.map(({ lease, amount }) => ({ lease: lease.id, grant: lease.grantId, amount: formatMoney(amount) })));
