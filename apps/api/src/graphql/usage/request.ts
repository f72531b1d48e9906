import { completionTokens, promptTokens, tokenClasses } from '@kilotoken/contracts';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { paidLinesOf, portionsOfRow, totalIn, type Pinned } from '@kilotoken/usage';
import { globalId } from '../shapes/global-id.js';
import type { RequestRow } from './request.store.js';
import type { Attempt, ChargeLine, Request } from './request.type.js';

const momentOf = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));

/** The charge in each unit, that of the price last; a pack that paid alone leaves zero there. */
const chargesOf = (row: RequestRow): { unit: string; amount: string }[] => {
  const portions = portionsOfRow(row);
  return [...new Set([...portions.map(({ unit }) => unit), row.unit])].map((unit) => ({ unit, amount: formatMoney(totalIn(portions, unit).charge) }));
};

/** Fields that only the company's staff see are null for anybody else. */
export const toRequest = (row: RequestRow, forStaff: boolean): Request => {
  const charge = totalIn(portionsOfRow(row), row.unit).charge;
  const cost = parseMoney(row.cost);
  return {
    __typename: 'Request',
    id: globalId('Request', row.organization, row.id),
    organizationId: row.organization,
    usageId: row.id,
    projectId: row.project,
    apiKeyId: row.key,
    requestId: row.id,
    model: row.model,
    operation: row.operation,
    outcome: row.outcome,
    status: row.status,
    errorCode: row.error,
    finishReason: row.finish,
    stream: row.stream,
    endUser: row.user,
    tags: row.tags,
    inputTokens: BigInt(promptTokens(row.counts)),
    outputTokens: BigInt(completionTokens(row.counts)),
    counts: tokenClasses.flatMap((name) => (row.counts[name] ? [{ class: name, tokens: BigInt(row.counts[name]) }] : [])),
    estimated: row.estimated,
    charges: chargesOf(row),
    hold: formatMoney(totalIn(portionsOfRow(row), row.unit).hold),
    admittedAt: new Date(row.admitted),
    firstTokenAt: momentOf(row.first_token),
    finishedAt: new Date(row.finished),
    settledAt: row.settledAt,
    allocations: row.allocations.map(({ grant, unit, tokens, amount }) => ({
      organizationId: row.organization, grantId: globalId('Grant', row.organization, grant), unit, tokens: tokens == null ? null : BigInt(tokens), amount: formatMoney(parseMoney(amount)),
    })),
    lane: forStaff && row.lane !== null ? globalId('Lane', '', row.lane) : null,
    cost: forStaff ? formatMoney(cost) : null,
    costCurrency: forStaff ? row.cost_currency : null,
    margin: forStaff && row.cost_currency === row.unit ? formatMoney(charge - cost) : null,
  };
};

export const toLines = (row: RequestRow, pinned: Pinned): ChargeLine[] =>
  paidLinesOf(row, pinned).map(({ tokenClass, tokens, unit, amount, per, charge }) => ({
    class: tokenClass, tokens: BigInt(tokens), unit, price: formatMoney(amount), per: BigInt(per), amount: formatMoney(charge),
    formula: `${tokens} × ${formatMoney(amount)} ÷ ${per} = ${formatMoney(charge)}`,
  }));

export const toAttempt = (row: RequestRow, forStaff: boolean): Attempt => ({
  attempt: row.attempt, outcome: row.outcome, status: row.status, errorCode: row.error, lane: forStaff && row.lane !== null ? globalId('Lane', '', row.lane) : null,
  admittedAt: new Date(row.admitted), finishedAt: new Date(row.finished),
});
