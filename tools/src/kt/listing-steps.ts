import type { DatedStep, LaneCost, LaneOffer, ModelTerms } from '@kilotoken/marketplace';
import { formatMoney } from '@kilotoken/money';
import type { SalePrice } from '@kilotoken/pricing';
import type { Row, Value } from './output.js';

/** The changes of a lanes file as rows, each value before and after. */
interface Change extends Record<string, Value> {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface StepRow extends Row {
  readonly change: string;
  readonly model: string;
  readonly lane: string | null;
  readonly changes: readonly Change[];
  readonly effectiveAt: string;
}

type Values = Readonly<Record<string, string | null>>;

const text = (value: unknown): string | null => (value == null ? null : typeof value === 'object' ? JSON.stringify(value) : String(value));

const ratesOf = ({ currency, per, rates }: SalePrice | LaneCost): Values =>
  Object.fromEntries(Object.entries(rates).map(([name, amount]) => [name, `${amount === null ? 'no price' : formatMoney(amount)} ${currency} per ${per}`]));

const termsOf = ({ contextWindow, maxOutputTokens, imageTokens, unsupportedParameters, maxTokensAbove }: ModelTerms): Values =>
  Object.fromEntries(Object.entries({ contextWindow, maxOutputTokens, imageTokens, unsupportedParameters, maxTokensAbove }).map(([name, value]) => [name, text(value)]));

const offerOf = (offer: LaneOffer, position: number): Values => ({
  position: text(position),
  kind: offer.kind,
  upstreamModel: offer.upstreamModel,
  keyEnv: offer.keyEnv,
  ...Object.fromEntries(Object.entries(ratesOf(offer.cost)).map(([name, rate]) => [`cost of ${name}`, rate])),
  capabilities: [...offer.capabilities].sort().join(' '),
  tokenClasses: [...offer.tokenClasses].sort().join(' '),
  tokenizer: offer.tokenizer,
  ...Object.fromEntries(Object.entries(offer.timeouts).map(([name, ms]) => [name, text(ms)])),
  drain: text(offer.drain),
});

const compare = (before: Values, after: Values): Change[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((name) => ({ name, before: before[name] ?? null, after: after[name] ?? null }))
    .filter((change) => change.before !== change.after);

const changesOf = (step: DatedStep): Change[] => {
  switch (step.kind) {
    case 'model_added':
      return compare({}, termsOf(step.listing));
    case 'model_updated':
    case 'model_restored':
      return compare(termsOf(step.before), termsOf(step.listing));
    case 'lane_added':
      return compare({}, offerOf(step.offer, step.position));
    case 'lane_updated':
    case 'lane_restored':
      return compare(offerOf(step.before, step.before.position), offerOf(step.offer, step.position));
    case 'price_published':
      return compare(step.before ? ratesOf(step.before) : {}, ratesOf(step.sale));
    case 'model_retired':
    case 'lane_retired':
      return [];
  }
};

export const stepRow = (step: DatedStep): StepRow => ({
  change: step.kind,
  model: 'listing' in step ? step.listing.modelId : step.modelId,
  lane: 'offer' in step ? step.offer.baseUrl : 'baseUrl' in step ? step.baseUrl : null,
  changes: changesOf(step),
  effectiveAt: step.effectiveAt.toISOString(),
});

/** A row with its changes on one line: `input 0.15 USD per 1000000 → 0.2 USD per 1000000`. */
export const readableStep = ({ changes, ...row }: StepRow): Row => ({
  ...row,
  changes: changes.map(({ name, before, after }) => `${name} ${before === null ? '' : `${before} → `}${after ?? 'none'}`).join('; '),
});
