import { tokenClasses, type TokenClass, type TokenCounts } from '@kilotoken/contracts';
import { formatMoney, moneyRounding, parseMoney, priceOf } from '@kilotoken/money';
import type pg from 'pg';
import { globalId, requestJoins, requestRowOf, requestRowSql, type Asked, type RequestRowSql } from './api-bare-request.js';

/** One request with its arithmetic, by three statements: its attempts, its prices, the grants that paid. */
interface DetailRow extends RequestRowSql {
  readonly attempt: number;
  readonly operation: string;
  readonly finish_reason: string | null;
  readonly end_user: string | null;
  readonly tags: unknown;
  readonly estimated: boolean;
  readonly hold: string;
  readonly finished_at: Date;
  readonly allocations: readonly { grant: string; unit: string; tokens?: number; amount: string }[];
  readonly price_version_id: string;
}

export const readDetail = async (db: pg.PoolClient, { organization, id }: Asked): Promise<object> => {
  const attempts = await db.query<DetailRow>({
    text: `SELECT ${requestRowSql}, u.attempt, u.operation, u.finish_reason, u.end_user, u.tags, u.estimated, trim_scale(u.hold)::text AS hold, u.finished_at, u.allocations, u.price_version_id
           FROM usage u ${requestJoins} WHERE u.organization_id = $1 AND u.id = $2 ORDER BY u.attempt`,
    values: [organization, id],
  });
  const row = attempts.rows.at(-1)!;
  const rates = await db.query<{ token_class: TokenClass; amount: string; per: bigint }>({ name: 'bare_rates', text: 'SELECT token_class, amount, per FROM rate WHERE price_version_id = $1', values: [row.price_version_id] });
  const grants = await db.query<{ id: string; source: string; reference: string }>({
    name: 'bare_grants',
    text: 'SELECT id, source, reference FROM credit_grant WHERE organization_id = $1 AND id = ANY ($2::uuid[])',
    values: [organization, row.allocations.map(({ grant }) => grant)],
  });
  return { id: globalId('Organization', organization, organization), request: detailOf(organization, row, attempts.rows, rates.rows, grants.rows), __typename: 'Organization' };
};

const linesOf = (counts: TokenCounts, unit: string, rates: readonly { token_class: TokenClass; amount: string; per: bigint }[]): object[] =>
  tokenClasses.flatMap((name) => {
    const tokens = counts[name];
    if (!tokens) return [];
    const { amount, per } = rates.find(({ token_class: rated }) => rated === name)!;
    const price = parseMoney(amount);
    const charge = formatMoney(priceOf(BigInt(tokens), price, BigInt(per), moneyRounding));
    return [{ class: name, tokens: String(tokens), unit, price: formatMoney(price), per: String(per), amount: charge, formula: `${tokens} × ${formatMoney(price)} ÷ ${per} = ${charge}`, __typename: 'ChargeLine' }];
  });

const detailOf = (
  organization: string,
  row: DetailRow,
  attempts: readonly DetailRow[],
  rates: readonly { token_class: TokenClass; amount: string; per: bigint }[],
  grants: readonly { id: string; source: string; reference: string }[],
): object => ({
  ...requestRowOf(organization, row),
  operation: row.operation, finishReason: row.finish_reason, endUser: row.end_user, tags: row.tags, estimated: row.estimated, hold: row.hold, finishedAt: row.finished_at,
  counts: tokenClasses.flatMap((name) => (row.counts[name] ? [{ class: name, tokens: String(row.counts[name]), __typename: 'TokenCount' }] : [])),
  lines: linesOf(row.counts, row.unit, rates),
  allocations: row.allocations.map(({ grant, unit, tokens, amount }) => {
    const paying = grants.find(({ id }) => id === grant)!;
    const grantId = globalId('Grant', organization, grant);
    return { grantId, unit, tokens: tokens === undefined ? null : String(tokens), amount, grant: { id: grantId, source: paying.source, reference: paying.reference, __typename: 'Grant' }, __typename: 'Allocation' };
  }),
  attempts: attempts.map((a) => ({
    attempt: a.attempt, outcome: a.outcome, status: a.status, errorCode: a.error_code, lane: null, admittedAt: a.admitted_at, finishedAt: a.finished_at, __typename: 'Attempt',
  })),
  lane: null, cost: null, costCurrency: null, margin: null,
});
