/**
 * Plans a request from the catalogue alone: its lanes, parameters and worst-case cost. Pure. Throws a Refusal that names the
 * parameter; nothing is held yet.
 */
import { imageTokensDefault, type MaxTokensPolicy, type NeededCapability, type RequestFacts, type TokenClass, type UnsupportedParameterPolicy } from '@kilotoken/contracts';
import type { Holding } from '@kilotoken/funding';
import type { Catalogue, CatalogueModel, Lane } from '@kilotoken/marketplace';
import { moneyRounding, type Money } from '@kilotoken/money';
import { burnTableAt, packWorstCaseOf, priceAt, priceKey, unpricedClasses, worstCaseOf, type PriceVersion, type WorstCase } from '@kilotoken/pricing';
import type { UnitTerms } from '@kilotoken/usage';
import type { Caller } from '../request/caller.js';
import type { PayingUnit, Plan } from '../request/plan.js';
import type { ReadRequest } from '../request/read-request.js';
import { Refusal } from '../request/refusal.js';

/** The most output tokens of all choices together. Bounds memory and the hold of one request. */
const outputTokensPerRequestMax = 1_000_000;

interface Choice {
  readonly lanes: readonly Lane[];
  readonly dropped: readonly string[];
}

const nothingDropped: readonly string[] = [];

/**
 * The lanes that honour the request's needs, and the parameters that none honours. A firm need must be met. Any other narrows the choice to the
 * lanes that meet it, in the order of the request, if any do; so all chosen lanes honour the same parameters.
 */
const choose = ({ needed }: RequestFacts, model: CatalogueModel, policy: UnsupportedParameterPolicy): Choice => {
  if (model.lanes.length === 0) throw new Refusal('lane_unavailable', `The model '${model.id}' is not available at the moment.`);
  const has = (lane: Lane, { capability }: NeededCapability): boolean => capability !== null && lane.capabilities.has(capability);
  const unmet = needed.filter((need) => !model.lanes.every((lane) => has(lane, need)));
  if (unmet.length === 0) return { lanes: model.lanes, dropped: nothingDropped };
  const firm = policy === 'refuse' ? unmet : unmet.filter(({ isFirm }) => isFirm);
  let lanes = model.lanes.filter((lane) => firm.every((need) => has(lane, need)));
  if (lanes.length === 0) {
    const missing = firm.find((need) => !model.lanes.some((lane) => has(lane, need))) ?? firm[0]!;
    throw new Refusal('unsupported_parameter', `The model '${model.id}' does not support '${missing.param}'. Omit it or use its default.`, missing.param);
  }
  const dropped: string[] = [];
  for (const need of unmet) {
    if (firm.includes(need)) continue;
    const able = lanes.filter((lane) => has(lane, need));
    if (able.length > 0) lanes = able;
    else dropped.push(need.param);
  }
  return { lanes, dropped };
};

const outputCeiling = ({ maxOutputTokens, contextWindow }: CatalogueModel): number => Math.min(maxOutputTokens, contextWindow);

const outputLimit = (asked: number | undefined, model: CatalogueModel, choices: number, policy: MaxTokensPolicy): number => {
  const ceiling = outputCeiling(model);
  if (asked !== undefined && asked > ceiling && policy === 'refuse') {
    throw new Refusal('output_ceiling_exceeded', `The model '${model.id}' generates at most ${ceiling} tokens, but the request asks for ${asked}.`, 'max_tokens');
  }
  const wanted = asked === undefined ? undefined : Math.min(asked, ceiling);
  if (choices * (wanted ?? 1) > outputTokensPerRequestMax) {
    throw new Refusal('output_ceiling_exceeded', `A request may ask for at most ${outputTokensPerRequestMax} tokens over all its choices.`, 'n');
  }
  return wanted ?? Math.min(ceiling, Math.floor(outputTokensPerRequestMax / choices));
};

/** The rates of a unit, and its worst case. */
interface UnitRates extends UnitTerms {
  readonly worst: WorstCase;
  /** Whether it has a rate for every class that the lanes can return. */
  readonly covers: boolean;
}

/** A published version never changes, and a model's lanes change only with the catalogue, so their rates are computed once. */
const knownRates = new WeakMap<object, { lanes: readonly Lane[]; rates: UnitRates }>();

const ratesOf = (version: object, { lanes }: CatalogueModel, make: (declared: ReadonlySet<TokenClass>) => UnitRates): UnitRates => {
  const known = knownRates.get(version);
  if (known?.lanes === lanes) return known.rates;
  const rates = make(new Set<TokenClass>(['input', 'output', ...lanes.flatMap((lane) => [...lane.tokenClasses])]));
  knownRates.set(version, { lanes, rates });
  return rates;
};

const moneyRatesOf = (price: PriceVersion, model: CatalogueModel): UnitRates =>
  ratesOf(price, model, (declared) => {
    if (unpricedClasses(declared, price.rates).length > 0) throw unpriced(model);
    return { unit: price.currency, burnTableId: null, rates: price.rates, rounding: moneyRounding, worst: worstCaseOf(declared, price.rates), covers: true };
  });

const unpriced = ({ id }: CatalogueModel): Refusal => new Refusal('price_unavailable', `The model '${id}' has no price for your organization.`, 'model');

const priceOf = (catalogue: Catalogue, caller: Caller, model: CatalogueModel, nowMs: number): PriceVersion => {
  const price = priceAt(catalogue.prices.get(priceKey(caller.priceBookId, model.id)) ?? [], nowMs);
  if (!price) throw unpriced(model);
  return price;
};

const nothingPacked: readonly UnitRates[] = [];

/** The packs of an organization that may pay for a model. */
const packRatesOf = ({ packs }: Caller, { burnTables }: Catalogue, model: CatalogueModel, nowMs: number): readonly UnitRates[] => {
  if (packs === null) return nothingPacked;
  const units = new Set(packs.filter(({ models }) => models === null || models.includes(model.id)).map(({ unit }) => unit));
  return [...units].flatMap((unit) => {
    const table = burnTableAt(burnTables.get(unit) ?? [], model.id, nowMs);
    if (!table) return [];
    return [ratesOf(table, model, (declared) => ({ unit, burnTableId: table.id, rates: table.rates, rounding: table.rounding, ...packWorstCaseOf(declared, table) }))];
  });
};

/** Over all prompts; each has at most the context window, also without another bound. */
const promptTokensOf = ({ promptTokens }: RequestFacts, { contextWindow }: CatalogueModel, mediaTokens: number): bigint =>
  BigInt(promptTokens.reduce((sum, tokens) => sum + Math.min(Math.ceil(tokens + mediaTokens), contextWindow), 0));

/** The proven bound of media: the model's own bound for images, and none (Infinity) for any other media. */
const provenMediaTokens = ({ media }: RequestFacts, { imageTokens }: CatalogueModel): number => {
  if (!media.isBounded) return Infinity;
  return media.images === 0 ? 0 : media.images * (imageTokens ?? Infinity);
};

/** The media tokens that limits count, by the documented counts of `media-bound`. */
const countedMediaTokens = ({ media }: RequestFacts, { imageTokens }: CatalogueModel): number => media.images * (imageTokens ?? imageTokensDefault) + media.tokens;

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
  const chosen = choose(facts, model, caller.unsupportedParameters ?? model.unsupportedParameters);
  const price = priceOf(catalogue, caller, model, nowMs);
  const moneyRates = moneyRatesOf(price, model);
  const choices = facts.promptTokens.length * Math.max(params.n ?? 1, params.best_of ?? 1);
  const asked = params.max_completion_tokens ?? params.max_tokens;
  const outputTokensMax = outputLimit(asked, model, choices, caller.maxTokensAbove ?? model.maxTokensAbove);
  const isLowered = asked !== undefined && asked > outputTokensMax;
  const promptTokensMax = promptTokensOf(facts, model, provenMediaTokens(facts, model));
  // Rejected tokens of a prediction are billed as output beyond `max_tokens`.
  const predicted = BigInt(facts.predictionTokens);
  const outputTokensMin = asked === undefined ? Math.min(minOutputTokens, outputTokensMax) : outputTokensMax;
  const payingUnit = (rates: UnitRates): PayingUnit => {
    const holdFor = (tokens: number): Money => rates.worst.hold(promptTokensMax, BigInt(choices) * BigInt(tokens) + predicted);
    const want = holdFor(outputTokensMax);
    const { unit, burnTableId, rates: table, rounding, worst, covers } = rates;
    return { unit, burnTableId, rates: table, rounding, worst, covers, want, least: asked === undefined ? holdFor(outputTokensMin) : want };
  };
  const money = payingUnit(moneyRates);
  // A pack that the request burns nothing of does not pay for it.
  const packs = packRatesOf(caller, catalogue, model, nowMs).map(payingUnit).filter(({ want }) => want > 0n);
  return {
    model,
    lanes: chosen.lanes,
    dropped: isLowered ? [...chosen.dropped, params.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens'] : chosen.dropped,
    price,
    promptTokensMax,
    promptTokensCounted: facts.media.images === 0 && facts.media.isBounded ? promptTokensMax : promptTokensOf(facts, model, countedMediaTokens(facts, model)),
    predictedTokensMax: predicted,
    choices,
    outputTokensMax,
    outputTokensMin,
    units: [packs[0] ?? money, ...packs.slice(1), ...(packs.length > 0 ? [money] : [])],
  };
};

/** How many tokens each choice may have on what is held, which may be less than wanted: by the unit that pays the end. */
export const outputTokensOn = (plan: Plan, { units, runs }: Holding): number => {
  const { unit, hold } = units[runs.at(-1)!.of]!;
  const paying = plan.units.find((known) => known.unit === unit)!;
  if (hold.total >= paying.want) return plan.outputTokensMax;
  const affordable = (paying.worst.affordableOutput(plan.promptTokensMax, hold.total) - plan.predictedTokensMax) / BigInt(plan.choices);
  return Number(min(affordable, BigInt(plan.outputTokensMax)));
};
