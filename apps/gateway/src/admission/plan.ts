/**
 * What a request may do and what it can cost at most, from the catalogue alone. Pure. Throws a Refusal that names the
 * parameter; nothing is held yet.
 */
import {
  baseCapabilities,
  type Capability,
  type PriceVersion,
  type RequestFacts,
  type TokenClass,
} from '@kilotoken/contracts';
import { priceKey, type Catalogue, type CatalogueModel, type Lane } from '@kilotoken/marketplace';
import type { Money } from '@kilotoken/money';
import { priceAt, unpricedClasses, worstCaseOf, type WorstCase } from '@kilotoken/pricing';
import type { Caller } from '../face/caller.js';
import type { ReadRequest } from '../intake/read-request.js';
import { Refusal } from '../refusal.js';

export interface Plan {
  readonly model: CatalogueModel;
  /** Those that can honour the request, in their order; at least one. */
  readonly lanes: readonly Lane[];
  readonly price: PriceVersion;
  /** An upper bound of the prompt's tokens: its bytes and its template's, at most the context window. */
  readonly promptTokensMax: bigint;
  /** Answers that the vendor may write: prompts × max(n, best_of). */
  readonly choices: number;
  readonly predictedTokensMax: bigint;
  /** The most that each choice may have, before money is looked at. */
  readonly outputTokensMax: number;
  /** The least that is worth running where little is left; equal to the most where the client set it. */
  readonly outputTokensMin: number;
  readonly worst: WorstCase;
  /** Holds for `outputTokensMax`, and for the least that is worth running. */
  readonly want: Money;
  readonly least: Money;
}

/** All choices together. It bounds memory and what one request can hold. */
const outputTokensPerRequestMax = 1_000_000;

const base: ReadonlySet<string> = new Set<Capability>(baseCapabilities);

const choose = (facts: RequestFacts, model: CatalogueModel): readonly Lane[] => {
  const needed = facts.needed.filter(({ capability }) => !base.has(capability));
  if (model.lanes.length === 0) throw new Refusal('lane_unavailable', `Nothing serves the model '${model.id}' at the moment.`);
  if (needed.length === 0) return model.lanes;
  const able = model.lanes.filter((lane) => needed.every(({ capability }) => lane.capabilities.has(capability)));
  if (able.length > 0) return able;
  const missing = needed.find(({ capability }) => !model.lanes.some((lane) => lane.capabilities.has(capability))) ?? needed[0]!;
  throw new Refusal('unsupported_parameter', `The model '${model.id}' does not support '${missing.param}'. Leave it out or at its default.`, missing.param);
};

const outputLimit = (asked: number | undefined, model: CatalogueModel, choices: number): number => {
  const ceiling = Math.min(model.maxOutputTokens, model.contextWindow);
  if (asked !== undefined && asked > ceiling) {
    throw new Refusal('output_ceiling_exceeded', `The model '${model.id}' answers with at most ${ceiling} tokens; ${asked} were asked for.`, 'max_tokens');
  }
  if (choices * (asked ?? 1) > outputTokensPerRequestMax) {
    throw new Refusal('output_ceiling_exceeded', `One request may ask for at most ${outputTokensPerRequestMax} tokens over all of its choices.`, 'n');
  }
  return asked ?? Math.min(ceiling, Math.floor(outputTokensPerRequestMax / choices));
};

interface Prices {
  readonly price: PriceVersion;
  readonly worst: WorstCase;
}

/** A price version never changes and a model's lanes only with the catalogue: what follows from both is worked out once. */
const worstCases = new WeakMap<PriceVersion, { lanes: readonly Lane[]; worst: WorstCase }>();

const priceOf = (catalogue: Catalogue, caller: Caller, model: CatalogueModel, nowMs: number): Prices => {
  const price = priceAt(catalogue.prices.get(priceKey(caller.priceBookId, model.id)) ?? [], nowMs);
  const unavailable = (): Refusal => new Refusal('price_unavailable', `The model '${model.id}' has no price for you.`, 'model');
  if (!price) throw unavailable();
  const known = worstCases.get(price);
  if (known?.lanes === model.lanes) return { price, worst: known.worst };
  const declared = new Set<TokenClass>(['input', 'output', ...model.lanes.flatMap((lane) => [...lane.tokenClasses])]);
  if (unpricedClasses(declared, price.rates).length > 0) throw unavailable();
  const worst = worstCaseOf(declared, price.rates);
  worstCases.set(price, { lanes: model.lanes, worst });
  return { price, worst };
};

/** Over all prompts; each is at most the context window, which is the bound where nothing else is. */
const promptTokensOf = ({ promptTokens, images }: RequestFacts, { contextWindow, imageTokens }: CatalogueModel): bigint => {
  const imageTokensAll = images === 0 ? 0 : images * (imageTokens ?? Infinity);
  return BigInt(promptTokens.reduce((sum, tokens) => sum + Math.min(tokens + imageTokensAll, contextWindow), 0));
};

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export const planRequest = (
  { params, facts }: ReadRequest,
  caller: Caller,
  catalogue: Catalogue,
  minOutputTokens: number,
  nowMs: number,
): Plan => {
  const model = catalogue.models.get(params.model);
  if (!model) throw new Refusal('model_not_found', `The model '${params.model}' does not exist.`, 'model');
  if (caller.allowedModels && !caller.allowedModels.has(model.id)) {
    throw new Refusal('model_not_allowed', `This API key may not use the model '${model.id}'.`, 'model');
  }
  const lanes = choose(facts, model);
  const { price, worst } = priceOf(catalogue, caller, model, nowMs);
  const choices = facts.promptTokens.length * Math.max(params.n ?? 1, params.best_of ?? 1);
  const asked = params.max_completion_tokens ?? params.max_tokens;
  const outputTokensMax = outputLimit(asked, model, choices);
  const promptTokensMax = promptTokensOf(facts, model);
  // Rejected tokens of a prediction are billed as output beyond `max_tokens`.
  const predicted = BigInt(facts.predictionTokens);
  const holdFor = (tokens: number): Money => worst.hold(promptTokensMax, BigInt(choices) * BigInt(tokens) + predicted);
  const outputTokensMin = asked === undefined ? Math.min(minOutputTokens, outputTokensMax) : outputTokensMax;
  const want = holdFor(outputTokensMax);
  return {
    model,
    lanes,
    price,
    promptTokensMax,
    predictedTokensMax: predicted,
    choices,
    outputTokensMax,
    outputTokensMin,
    worst,
    want,
    least: asked === undefined ? holdFor(outputTokensMin) : want,
  };
};

/** How many tokens each choice may have on a hold that may be smaller than wanted. */
export const outputTokensOn = (plan: Plan, hold: Money): number => {
  if (hold >= plan.want) return plan.outputTokensMax;
  const affordable = (plan.worst.affordableOutput(plan.promptTokensMax, hold) - plan.predictedTokensMax) / BigInt(plan.choices);
  return Number(min(affordable, BigInt(plan.outputTokensMax)));
};
