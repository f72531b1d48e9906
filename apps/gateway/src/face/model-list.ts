import { tokenClasses } from '@kilotoken/contracts';
import type { CatalogueModel } from '@kilotoken/marketplace';
import { formatMoney } from '@kilotoken/money';
import { priceAt, priceKey, type PriceVersion } from '@kilotoken/pricing';
import type { CatalogueService } from '../admission/catalogue.service.js';
import type { Caller } from '../request/caller.js';
import { Refusal } from '../request/refusal.js';

/** `GET /v1/models`: what this key may use, with the prices that it would pay now, as exact decimal strings. */
export interface ModelList {
  list(caller: Caller): object;
  get(caller: Caller, id: string): object;
}

const describePrice = (price: PriceVersion): object => {
  const rates = tokenClasses.flatMap((tokenClass) => {
    const rate = price.rates.get(tokenClass);
    return rate && rate.amount !== null ? [[tokenClass, { amount: formatMoney(rate.amount), per: Number(rate.per) }] as const] : [];
  });
  return { currency: price.currency, rates: Object.fromEntries(rates) };
};

export const createModelList = (catalogue: CatalogueService, nowMs: () => number): ModelList => {
  const current = () => {
    const known = catalogue.current();
    if (!known) throw new Refusal('service_unavailable', 'Prices cannot be read at the moment. Try again shortly.');
    return known;
  };
  const describe = (caller: Caller, model: CatalogueModel): object | null => {
    if (caller.allowedModels && !caller.allowedModels.has(model.id)) return null;
    const price = priceAt(current().prices.get(priceKey(caller.priceBookId, model.id)) ?? [], nowMs());
    if (!price) return null;
    return {
      id: model.id,
      object: 'model',
      created: Math.floor(model.createdAt.getTime() / 1000),
      owned_by: 'kilotoken',
      context_window: model.contextWindow,
      max_output_tokens: model.maxOutputTokens,
      pricing: describePrice(price),
    };
  };
  return {
    list: (caller) => ({ object: 'list', data: [...current().models.values()].flatMap((model) => describe(caller, model) ?? []) }),
    get: (caller, id) => {
      const model = current().models.get(id);
      const found = model && describe(caller, model);
      if (!found) throw new Refusal('model_not_found', `The model '${id.slice(0, 128)}' does not exist or you do not have access to it.`, 'model');
      return found;
    },
  };
};
