import { completionTokens, promptTokens, type TokenClass, type TokenCounts } from '@kilotoken/contracts';
import { allocateCharges, type Holding, type UnitRequest } from '@kilotoken/funding';
import type { CatalogueModel, Catalogue, Lane } from '@kilotoken/marketplace';
import { formatMoney, moneyRounding, type Money } from '@kilotoken/money';
import { burnTableAt, packWorstCaseOf, priceAt, priceKey, rateUsage, worstCaseOf, type PriceVersion, type WorstCase } from '@kilotoken/pricing';
import { allocateTokens, chargeFields, noCharge, portionsOf, totalIn, writeUsageRows, type Charge, type UnitTerms, type UsageRow } from '@kilotoken/usage';
import type { Account } from './accounts.js';
import type { Draft } from './traffic.js';

/** A draft becomes a request: what it may cost, what it is charged, the rows that the gateway would write. Pure. */
export interface PlannedUnit extends UnitRequest, UnitTerms {}

export interface Planned {
  readonly model: CatalogueModel;
  readonly price: PriceVersion;
  readonly units: readonly PlannedUnit[];
}

interface Terms extends UnitTerms {
  readonly worst: WorstCase;
  readonly covers: boolean;
}

/** Published versions never change. */
const knownTerms = new WeakMap<object, Terms>();

const termsOf = (version: object, make: () => Terms): Terms => {
  const known = knownTerms.get(version) ?? make();
  knownTerms.set(version, known);
  return known;
};

const classesOf = ({ lanes }: CatalogueModel): TokenClass[] => [...new Set<TokenClass>(['input', 'output', ...lanes.flatMap(({ tokenClasses }) => [...tokenClasses])])];

/** A prompt's bytes bound its tokens: some four and a half of them make one. */
const boundOf = ({ promptTokens: tokens }: Draft, { contextWindow }: CatalogueModel): bigint => BigInt(Math.min(contextWindow, Math.ceil(tokens * 4.5) + 64));

/** The worst case of a request in each unit that may pay it: packs of its organization, then money. */
export const planDraft = (draft: Draft, { priceBookId }: Account, packUnits: readonly string[], catalogue: Catalogue): Planned => {
  const model = catalogue.models.get(draft.modelId)!;
  const price = priceAt(catalogue.prices.get(priceKey(priceBookId, model.id)) ?? [], draft.admittedMs)!;
  const money = termsOf(price, () => ({ unit: price.currency, burnTableId: null, rates: price.rates, rounding: moneyRounding, worst: worstCaseOf(classesOf(model), price.rates), covers: true }));
  const packs = packUnits.flatMap((unit) => {
    const table = burnTableAt(catalogue.burnTables.get(unit) ?? [], model.id, draft.admittedMs);
    if (!table) return [];
    return [termsOf(table, () => ({ unit, burnTableId: table.id, rates: table.rates, rounding: table.rounding, ...packWorstCaseOf(classesOf(model), table) }))];
  });
  const units = [...packs, money].map(({ worst, ...terms }): PlannedUnit => {
    const want = worst.hold(boundOf(draft, model), BigInt(draft.maxTokens));
    return { ...terms, want, least: want };
  });
  return { model, price, units };
};

export interface ServedRequest extends Planned {
  readonly id: string;
  readonly draft: Draft;
  readonly account: Account;
  readonly holding: Holding;
}

/** The charge of each unit of the holding, in its order. */
export const chargesOf = ({ holding }: ServedRequest, { portions }: Charge): Money[] => holding.units.map(({ unit }) => totalIn(portions, unit).charge);

const heldTerms = ({ units, holding }: ServedRequest): (UnitTerms & { readonly hold: Money })[] =>
  holding.runs.map(({ of, amount }) => {
    const { unit, burnTableId, rates, rounding } = units.find((paying) => paying.unit === holding.units[of]!.unit)!;
    return { unit, burnTableId, rates, rounding, hold: amount };
  });

export const chargeOf = (request: ServedRequest): Charge =>
  request.draft.outcome === 'upstream_failed' ? noCharge : { counts: request.draft.counts, estimated: false, portions: portionsOf(request.draft.counts, heldTerms(request)), undeclared: [] };

const costOf = ({ cost: { per, rates } }: Lane, counts: TokenCounts): Money =>
  rateUsage(counts, new Map(Object.entries(rates).map(([name, amount]) => [name as TokenClass, { amount: amount ?? 0n, per }]))).total;

type Ending = Pick<UsageRow, 'outcome' | 'status' | 'error' | 'finish' | 'upstream_status' | 'upstream_id' | 'dispatched' | 'first_token' | 'finished'> & { readonly lane: number; readonly charge: Charge };

const rowOf = (request: ServedRequest, attempt: number, { lane: position, charge: ended, ...ending }: Ending): UsageRow => {
  const { id, draft, account, model, price, holding } = request;
  const lane = model.lanes[position]!;
  const key = account.keys[draft.key]!;
  // An attempt that is not charged says what was held for it.
  const charge = ended === noCharge ? { ...noCharge, portions: portionsOf({}, heldTerms(request)) } : ended;
  const totals = holding.units.map(({ unit }) => totalIn(charge.portions, unit));
  const payments = allocateCharges(holding, totals.map((total) => total.charge));
  return {
    organization: account.organizationId, id, attempt, root: account.accountRootId, project: key.projectId, key: key.id,
    user: draft.endUser, tags: draft.tags, operation: 'chat.completions', mode: 'realtime', stream: draft.stream,
    model: model.id, tier_asked: 'auto', tier_served: 'standard', ...ending,
    lane: lane.id, upstream_model: lane.upstreamModel,
    counts: charge.counts, estimated: false, context: promptTokens(charge.counts) + completionTokens(charge.counts), max_tokens: draft.maxTokens,
    price: price.id, ...chargeFields(charge, price.currency),
    allocations: holding.units.flatMap(({ unit }, of) => allocateTokens(unit, payments[of]!, totals[of]!.charge, totals[of]!.tokens)),
    cost: formatMoney(costOf(lane, charge.counts)), cost_currency: lane.cost.currency,
    offset_ms: 0, admitted: draft.admittedMs, opened: false,
  };
};

/** A row for each attempt, as the gateway writes them: the last one carries the charge. */
export const usageRowsOf = (request: ServedRequest, charge: Charge): string => {
  const { draft, id } = request;
  const isFailed = draft.outcome === 'upstream_failed';
  const rows = draft.failed.map((failed, attempt) => {
    const isLast = isFailed && attempt === draft.failed.length - 1;
    return rowOf(request, attempt, {
      outcome: 'upstream_failed', status: isLast ? (failed.status ?? 502) : 0, error: failed.code, finish: null, upstream_status: failed.status, upstream_id: null,
      lane: failed.lane, dispatched: failed.dispatchedMs, first_token: null, finished: failed.finishedMs, charge: noCharge,
    });
  });
  if (isFailed) return writeUsageRows(rows);
  const last = rowOf(request, rows.length, {
    outcome: draft.outcome, status: draft.outcome === 'completed' ? 200 : 499, error: draft.outcome === 'client_closed' ? 'client_closed' : null, finish: draft.finishReason,
    upstream_status: 200, upstream_id: `chatcmpl-${id.replaceAll('-', '').slice(-24)}`,
    lane: draft.lane, dispatched: draft.dispatchedMs, first_token: draft.firstTokenMs, finished: draft.finishedMs, charge,
  });
  return writeUsageRows([...rows, last]);
};
