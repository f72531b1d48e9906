import type { BilledUsage, UnitCharge, UsageBounds } from '@kilotoken/contracts';
import { formatMoney } from '@kilotoken/money';
import { totalIn, type Charge } from '@kilotoken/usage';
import type { Generation } from './generation.js';

/** The bounds of a request's counts, by its hold and by its model's context window. */
export const usageBoundsOf = ({ plan, maxTokens }: Pick<Generation, 'plan' | 'maxTokens'>): UsageBounds => ({
  promptTokensMax: Number(plan.promptTokensMax),
  completionTokensMax: plan.choices * maxTokens + Number(plan.predictedTokensMax),
  tokensLimit: Math.max(plan.choices, 1) * plan.model.contextWindow,
});

/** The charge by unit: in each pack that paid, and in the currency of the price, which is always there. */
export const chargesOf = ({ plan }: Pick<Generation, 'plan'>, { portions }: Charge): readonly UnitCharge[] => {
  const { currency } = plan.price;
  const packs = new Set(portions.flatMap(({ unit, charge }) => (unit !== currency && charge > 0n ? [unit] : [])));
  return [...packs, currency].map((unit) => ({ unit, amount: totalIn(portions, unit).charge }));
};

/** The hold by unit. */
export const heldOf = ({ holding }: Pick<Generation, 'holding'>): readonly UnitCharge[] => holding.units.map(({ unit, hold }) => ({ unit, amount: hold.total }));

/** For a header: the amount alone in the currency of the price, `400 qwen-pack, 0.003 USD` where packs pay. */
export const amountsText = ({ plan }: Pick<Generation, 'plan'>, amounts: readonly UnitCharge[]): string => {
  const [only] = amounts;
  if (amounts.length === 1 && only!.unit === plan.price.currency) return formatMoney(only!.amount);
  return amounts.map(({ unit, amount }) => `${formatMoney(amount)} ${unit}`).join(', ');
};

/** The counts and the charge of a usage row, for the client. */
export const billedUsageOf = (generation: Pick<Generation, 'plan'>, charge: Charge): BilledUsage => ({
  counts: charge.counts,
  estimated: charge.estimated,
  charges: chargesOf(generation, charge),
});
