import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { formatMoney, moneyMax, parseMoney, priceOf } from '@kilotoken/money';
import { createPool } from '@kilotoken/platform';
import fc from 'fast-check';
import type pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.js';
import { halfEven, lineCharge } from './arithmetic.js';

/** SQL and `libs/money` round by code of their own; where they agree on everything, neither rounds by a mistake of the other. */
let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

interface Line {
  readonly count: bigint;
  readonly amount: bigint;
  readonly per: bigint;
}

const chargesOf = async (lines: readonly Line[]): Promise<string[]> => {
  const { rows } = await pool.query<{ charge: string }>(
    `SELECT trim_scale(${lineCharge('x.count', 'x.amount', 'x.per')})::text AS charge
     FROM unnest($1::numeric[], $2::numeric(38, 12)[], $3::numeric[]) WITH ORDINALITY AS x (count, amount, per, place) ORDER BY x.place`,
    [lines.map(({ count }) => String(count)), lines.map(({ amount }) => formatMoney(amount)), lines.map(({ per }) => String(per))],
  );
  return rows.map(({ charge }) => charge);
};

const count = fc.oneof(fc.bigInt(0n, 12n), fc.bigInt(0n, 2n ** 53n - 1n));
/** A rate of everyday size, one of a few digits, and any. */
const amount = fc.oneof(fc.bigInt(0n, 20n), fc.bigInt(0n, 10n ** 14n), fc.bigInt(0n, moneyMax / 2n ** 53n));
/** Powers of ten, what divides nothing evenly, and even numbers, which alone have halves. */
const per = fc.oneof(fc.constantFrom(1n, 2n, 4n, 1_000n, 1_000_000n), fc.bigInt(1n, 20n), fc.bigInt(1n, 2n ** 63n - 1n));
const line = fc.record({ count, amount, per });

it('a charge line of SQL is that of libs/money to the last digit, for any count, amount and per', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 50, maxLength: 200 }), async (lines) => {
      expect(await chargesOf(lines)).toEqual(lines.map(({ count: of, amount: at, per: by }) => formatMoney(priceOf(of, at, by))));
    }),
    { numRuns: 50 },
  );
});

it('what is halfway goes to the even digit, exactly there and nowhere else', async () => {
  // An odd multiple of half a unit of the last digit, and its neighbours, at a divisor that numeric's own division cannot show.
  const halfway = fc.record({ half: fc.bigInt(0n, 10n ** 18n), divisor: fc.bigInt(1n, 10n ** 18n) });
  await fc.assert(
    fc.asyncProperty(fc.array(halfway, { minLength: 20, maxLength: 50 }), async (cases) => {
      const { rows } = await pool.query<{ results: string[] }>(
        `SELECT ARRAY[${['x.middle - 1', 'x.middle', 'x.middle + 1'].map((dividend) => `trim_scale(${halfEven(`(${dividend})`, 'x.divisor')})::text`).join(', ')}] AS results
         FROM unnest($1::numeric[], $2::numeric[]) WITH ORDINALITY AS x (middle, divisor, place) ORDER BY x.place`,
        [cases.map(({ half, divisor }) => String((2n * half + 1n) * divisor)), cases.map(({ divisor }) => String(2n * divisor))],
      );
      expect(rows.map(({ results }) => results)).toEqual(cases.map(({ half }) => [String(half), String(half % 2n === 0n ? half : half + 1n), String(half + 1n)]));
    }),
    { numRuns: 30 },
  );
});

it('the known cases of half-even rounding', async () => {
  const at = (amountText: string, counts: bigint): Line => ({ count: counts, amount: parseMoney(amountText), per: 2n });
  expect(await chargesOf([at('0.000000000001', 1n), at('0.000000000001', 3n), at('0.000000000005', 1n), at('0.000000000007', 1n)])).toEqual(['0', '0.000000000002', '0.000000000002', '0.000000000004']);
});
