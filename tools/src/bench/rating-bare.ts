import { randomUUID } from 'node:crypto';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type pg from 'pg';

/**
 * The least possible rater: it reads the usage rows of as many waiting flushes by the same driver, multiplies counts by prices known
 * beforehand, sums per organization and writes the same postings, one transaction a batch. It reads only the columns of its arithmetic,
 * and has no claim, no proof of the gateway's charge, no sequence, no counters and no chain.
 */
export interface BareLoop {
  /** Rates one batch; answers its number of rows. */
  step(): Promise<number>;
}

type UsageRow = [organizationId: string, priceVersionId: string, counts: { input: number; output: number }, unit: string, hold: string, cost: string, costCurrency: string];

interface Total {
  readonly organizationId: string;
  readonly unit: string;
  readonly costCurrency: string;
  rated: Money;
  charge: Money;
  cost: Money;
}

/** Units of 10⁻¹² a token. */
interface Price {
  readonly input: Money;
  readonly output: Money;
}

export const startBareLoop = async (pool: pg.Pool, rowsPerBatch: number): Promise<BareLoop> => {
  const prices = await readPrices(pool);
  let begin = 0;
  return {
    step: async () => {
      const { rows } = await pool.query<UsageRow>({
        name: 'bare_read',
        text: `SELECT u.organization_id, u.price_version_id, u.counts, u.unit, u.hold, u.cost, u.cost_currency
               FROM bench_queue q CROSS JOIN LATERAL unnest(q.organization_ids, q.usage_ids, q.attempts) AS k(organization_id, id, attempt)
               JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt
               WHERE q.rows_before >= $1 AND q.rows_before < $2`,
        values: [begin, begin + rowsPerBatch],
        rowMode: 'array',
      });
      begin += rowsPerBatch;
      if (rows.length > 0) await post(pool, addUp(rows, prices));
      return rows.length;
    },
  };
};

const readPrices = async (pool: pg.Pool): Promise<Map<string, Price>> => {
  const { rows } = await pool.query<{ id: string; input: string; output: string }>(
    `SELECT price_version_id AS id, max(amount / per) FILTER (WHERE token_class = 'input')::numeric(38, 12) AS input,
       max(amount / per) FILTER (WHERE token_class = 'output')::numeric(38, 12) AS output FROM rate GROUP BY price_version_id`,
  );
  return new Map(rows.map(({ id, input, output }) => [id, { input: parseMoney(input), output: parseMoney(output) }]));
};

const moneyOf = (text: string): Money => BigInt(text.replace('.', ''));

const addUp = (rows: readonly UsageRow[], prices: ReadonlyMap<string, Price>): Map<string, Total> => {
  const totals = new Map<string, Total>();
  for (const [organizationId, priceVersionId, counts, unit, hold, cost, costCurrency] of rows) {
    const price = prices.get(priceVersionId)!;
    const rated = BigInt(counts.input) * price.input + BigInt(counts.output) * price.output;
    const held = moneyOf(hold);
    // All of the bench's usage has one unit and one currency.
    let total = totals.get(organizationId);
    if (!total) totals.set(organizationId, (total = { organizationId, unit, costCurrency, rated: 0n, charge: 0n, cost: 0n }));
    total.rated += rated;
    total.charge += rated < held ? rated : held;
    total.cost += moneyOf(cost);
  }
  return totals;
};

const post = async (pool: pg.Pool, totals: ReadonlyMap<string, Total>): Promise<void> => {
  const lines = [...totals.values()].flatMap(({ organizationId: organization, unit, costCurrency, rated, charge, cost }) => {
    const transaction = randomUUID();
    return [
      { organization, transaction, line: 1, account: 'grant_liability', unit, amount: charge },
      { organization, transaction, line: 2, account: 'uncollected', unit, amount: rated - charge },
      { organization, transaction, line: 3, account: 'usage_revenue', unit, amount: -rated },
      { organization, transaction, line: 4, account: 'vendor_cost', unit: costCurrency, amount: cost },
      { organization, transaction, line: 5, account: 'vendor_payable', unit: costCurrency, amount: -cost },
    ]
      .filter(({ amount }) => amount !== 0n)
      .map((line) => ({ ...line, amount: formatMoney(line.amount) }));
  });
  await pool.query({
    name: 'bare_post',
    text: `INSERT INTO bench_posting (organization_id, transaction_id, line, account, unit, amount)
           SELECT organization, transaction, line, account, unit, amount
           FROM json_to_recordset($1) AS l(organization uuid, transaction uuid, line smallint, account text, unit text, amount numeric)`,
    values: [JSON.stringify(lines)],
  });
};
