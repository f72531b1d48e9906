import type { Charge } from '@kilotoken/usage';
import { amountsText, chargesOf, heldOf } from './billed.js';
import type { Generation, Outcome } from './generation.js';

/** The fields of the request's one log line; never a prompt, an answer or a key. */
export const describeCharge = (event: Record<string, unknown>, generation: Generation, charge: Charge, outcome: Outcome): void => {
  event['organizationId'] = generation.caller.organizationId;
  event['apiKeyId'] = generation.caller.apiKeyId;
  event['model'] = generation.plan.model.id;
  event['stream'] = generation.stream;
  event['outcome'] = outcome;
  event['attempts'] = generation.attempts.length;
  event['laneId'] = generation.attempts.at(-1)?.lane.id;
  event['counts'] = charge.counts;
  event['estimated'] = charge.estimated;
  event['hold'] = amountsText(generation, heldOf(generation));
  event['charge'] = amountsText(generation, chargesOf(generation, charge));
  event['unit'] = generation.plan.price.currency;
};
