/** A settled request as `GET /v1/generations/{id}` shows it: every line of its arithmetic, in every unit that paid. Pure. */
import { chargeList, completionTokens, promptTokens } from '@kilotoken/contracts';
import { formatMoney, type Money } from '@kilotoken/money';
import type { ChargeLine } from '@kilotoken/pricing';
import { paidLinesOf, portionsOfRow, totalIn, type Pinned, type UnitPortion } from '@kilotoken/usage';
import type { UsageView } from './generation.store.js';

const tokensOf = ({ counts, estimated }: UsageView): object => ({
  prompt_tokens: promptTokens(counts),
  completion_tokens: completionTokens(counts),
  total_tokens: promptTokens(counts) + completionTokens(counts),
  by_class: counts,
  estimated,
});

const describeLine = ({ tokenClass, tokens, amount, per, charge }: ChargeLine): object => ({
  token_class: tokenClass,
  tokens: Number(tokens),
  amount: formatMoney(amount),
  per: Number(per),
  charge: formatMoney(charge),
});

const momentOf = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));

/** Lines name their unit where several paid. */
const linesOf = (view: UsageView, portions: readonly UnitPortion[], pinned: Pinned): object[] => {
  const isPlain = portions.length === 1 && portions[0]!.unit === view.unit;
  return paidLinesOf(view, pinned).map((line) => (isPlain ? describeLine(line) : { unit: line.unit, ...describeLine(line) }));
};

export const describeGeneration = (id: string, attempts: readonly UsageView[], last: UsageView, pinned: Pinned): object => {
  const portions = portionsOfRow(last);
  const money = totalIn(portions, last.unit);
  const units = [...new Set([...portions.map(({ unit }) => unit), last.unit])];
  const notCharged: Money = money.rated - money.charge;
  return {
    id,
    object: 'generation',
    model: last.model,
    status: last.outcome,
    finish_reason: last.finish,
    usage: tokensOf(last),
    estimated: last.estimated,
    cost: formatMoney(money.charge),
    cost_currency: last.unit,
    charges: chargeList(units.map((unit) => ({ unit, amount: totalIn(portions, unit).charge }))),
    hold: formatMoney(money.hold),
    lines: linesOf(last, portions, pinned),
    // We bear the amount above the hold: lines − not_charged = cost.
    not_charged: formatMoney(notCharged),
    price_version: last.price,
    allocations: last.allocations.map(({ grant, unit, tokens, amount }) => ({ grant, unit, tokens, amount })),
    attempts: attempts.map((attempt) => ({
      attempt: attempt.attempt,
      status: attempt.outcome,
      error: attempt.error,
      charge: attempt.charge,
      dispatched_at: momentOf(attempt.dispatched),
      first_token_at: momentOf(attempt.first_token),
      finished_at: momentOf(attempt.finished),
    })),
    times: {
      admitted_at: momentOf(last.admitted),
      dispatched_at: momentOf(last.dispatched),
      first_token_at: momentOf(last.first_token),
      finished_at: momentOf(last.finished),
      settled_at: last.settledAt,
    },
  };
};

export const describeRunning = (id: string, model: string, admittedMs: number): object => ({
  id,
  object: 'generation',
  model,
  status: 'running',
  usage: null,
  estimated: false,
  cost: null,
  cost_currency: null,
  charges: [],
  lines: [],
  allocations: [],
  attempts: [],
  times: { admitted_at: new Date(admittedMs) },
});
