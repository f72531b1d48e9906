import type { BilledUsage, UnitCharge, UsageBounds } from '@kilotoken/contracts';
import type { Charge, Generation } from './generation.js';

/** What the counts of a request can be: by its hold, and by the context window of its model. */
export const usageBoundsOf = ({ plan, maxTokens }: Pick<Generation, 'plan' | 'maxTokens'>): UsageBounds => ({
  promptTokensMax: Number(plan.promptTokensMax),
  completionTokensMax: plan.choices * maxTokens + Number(plan.predictedTokensMax),
  tokensLimit: Math.max(plan.choices, 1) * plan.model.contextWindow,
});

/** What was charged, by unit. */
const chargesOf = ({ plan }: Pick<Generation, 'plan'>, { charge }: Charge): readonly UnitCharge[] => [{ unit: plan.price.currency, amount: charge }];

/** What a client is told: the counts and the charge of its usage row. */
export const billedUsageOf = (generation: Pick<Generation, 'plan'>, charge: Charge): BilledUsage => ({
  counts: charge.counts,
  estimated: charge.estimated,
  charges: chargesOf(generation, charge),
});
