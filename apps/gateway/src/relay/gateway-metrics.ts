import { Counter, Gauge, type Registry } from 'prom-client';
import type { Generation, Ending } from './generation.js';

/** Metrics of the request path. They have counts only; money is in the ledger. */
export const createGatewayMetrics = (registry: Registry, read: { unsettled: () => number; running: () => number }) => {
  const registers = [registry];
  const requests = new Counter({ name: 'kilotoken_requests_total', help: 'Dispatched requests by how they ended.', labelNames: ['model', 'outcome'], registers });
  const tokens = new Counter({ name: 'kilotoken_tokens_total', help: 'Billed tokens.', labelNames: ['model', 'token_class'], registers });
  const failures = new Counter({ name: 'kilotoken_attempt_failures_total', help: 'Attempts that a lane failed.', labelNames: ['model', 'code'], registers });
  const refusals = new Counter({ name: 'kilotoken_lane_refusals_total', help: 'Attempts that a vendor refused for our account or rate, or that could not be sent; the log says why.', labelNames: ['model', 'lane', 'kind'], registers });
  const uncollected = new Counter({ name: 'kilotoken_uncollected_requests_total', help: 'Requests rated above their hold: the rest is our loss.', labelNames: ['model'], registers });
  const undeclared = new Counter({ name: 'kilotoken_undeclared_class_total', help: 'Answers with a token class that their lane did not declare.', labelNames: ['model', 'token_class'], registers });
  const invalidUsage = new Counter({ name: 'kilotoken_invalid_usage_total', help: 'Answers of whose usage some fields could not be and were ignored.', labelNames: ['model'], registers });
  const sampled = new Counter({ name: 'kilotoken_counts_sampled_total', help: 'Estimates that no worker thread had time to count: a small sample stands for all of the text.', registers });
  new Gauge({ name: 'kilotoken_unsettled_requests', help: 'Finished requests whose charge is not committed yet.', registers, collect() { this.set(read.unsettled()); } });
  new Gauge({ name: 'kilotoken_running_requests', help: 'Requests between hold and settlement.', registers, collect() { this.set(read.running()); } });

  return {
    failed: (model: string, code: string) => failures.inc({ model, code }),
    refused: (model: string, lane: string, kind: string) => refusals.inc({ model, lane, kind }),
    countSampled: () => sampled.inc(),
    invalidUsage: (model: string) => invalidUsage.inc({ model }),
    ended: ({ plan }: Generation, { outcome, charge }: Ending) => {
      const model = plan.model.id;
      requests.inc({ model, outcome });
      for (const [tokenClass, count] of Object.entries(charge.counts)) if (count > 0) tokens.inc({ model, token_class: tokenClass }, count);
      if (charge.portions.some((portion) => portion.rated > portion.charge)) uncollected.inc({ model });
      for (const tokenClass of charge.undeclared) undeclared.inc({ model, token_class: tokenClass });
    },
  };
};

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>;
