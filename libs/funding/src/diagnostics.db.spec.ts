import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type pg from 'pg';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom, type Usage } from '../../../test/support/money-database.js';

/** No diagnostic field can fail a money row: whatever a gateway of this release, an older or a foreign one writes into them. */

let money: MoneyDatabase;
let session: string;
let grant: string;
let lease: string;
let flush = 0;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  session = await money.newSession();
  grant = (await money.newTenant('1000000')).grantIds[0]!;
  lease = (await money.take(session, { need: '100000' })).leases[0]!.leaseId;
});
afterEach(() => expectInvariants(money.database.ownerUrl));
afterAll(() => money.drop());

const paid = (charge: number, more: Partial<Usage> = {}): Usage & { id: string } => ({ id: money.mintId(), charge, allocations: [{ lease, grant, amount: String(charge) }], ...more });

/** The row as JSON text in which a diagnostic stands as it is given, in JSON: also what no JavaScript value prints. */
const rowWith = (row: Usage, diagnostics: Record<string, string>): string => {
  const plain = Object.fromEntries(Object.entries(money.usageRow(row)).filter(([name]) => !(name in diagnostics)));
  return `{${[JSON.stringify(plain).slice(1, -1), ...Object.entries(diagnostics).map(([name, json]) => `"${name}":${json}`)].join(',')}}`;
};
const settleRows = async (...rows: string[]): Promise<number> => {
  flush += 1;
  const { rows: answer } = await money.app.query<{ written: number }>('SELECT settle($1, $2, $3) AS written', [session, flush, `[${rows.join(',')}]`]);
  return answer[0]!.written;
};

/** What nothing may stay of: the checks of the books take it for a fault. */
const inRollback = async (run: (owner: pg.PoolClient) => Promise<void>): Promise<void> => {
  const owner = await money.owner.connect();
  try {
    await owner.query('BEGIN');
    await run(owner);
  } finally {
    await owner.query('ROLLBACK');
    owner.release();
  }
};

const numbers = ['1e400', '-1e400', '2246400000', '-2246400000', '99999999999999999999', '0.5', '-1', '"NaN"', '"Infinity"', '"-Infinity"', 'null', '"many"', 'true', '{}', '[1]', '1e-300', '"1e99999"'];
const texts = ['"a\\u0000b"', '"\\ud800"', '"\\udc00 x"', '"\\ude00\\ud83d"', '"\\\\\\u0000"', '"\\\\u0000"', '"\\ud83d\\ude00"', `"${'x'.repeat(100_000)}"`, `"${'\\u0000'.repeat(2_000)}"`, 'null', '7', '{"a":"\\u0000"}', 'true'];
const flags = ['null', '"perhaps"', '3', '{}'];
const ids = ['"not-an-id"', '7', '"\\u0000"', 'null', '{}'];
const tags = ['{"a\\u0000":"\\ud800"}', '[1,2]', '"text"', '{"n":1e400}', `{"${'k'.repeat(5_000)}":"${'v'.repeat(5_000)}"}`, '{"a":{"b":null}}', 'null'];

const absurd: Record<string, string[]> = {
  offset_ms: numbers, status: numbers, upstream_status: numbers, context: numbers, max_tokens: numbers, cost: numbers,
  admitted: numbers, dispatched: numbers, first_token: numbers, finished: numbers,
  user: texts, error: texts, finish: texts, upstream_id: texts, upstream_model: texts, operation: texts, mode: texts,
  tier_asked: texts, tier_served: texts, outcome: texts, cost_currency: texts,
  stream: flags, estimated: flags, lane: ids, tags,
};
const fields = Object.keys(absurd);

describe('a settlement', () => {
  it.each(fields)('is stored and charged whatever stands in %s', async (field) => {
    const ordinary = paid(1);
    const odd = absurd[field]!.map((json) => ({ row: paid(2), json }));
    const plain = JSON.stringify(money.usageRow(ordinary));
    // Some alone, so that none is carried by another that Postgres refuses, and all of them together.
    for (const { row, json } of odd) expect([json.slice(0, 40), await settleRows(rowWith(row, { [field]: json }))]).toEqual([json.slice(0, 40), 1]);
    const again = odd.map(({ json }) => rowWith(paid(2), { [field]: json }));
    expect(await settleRows(plain, ...again)).toBe(1 + again.length);
    const [sum] = await money.sql<{ charge: string; rows: bigint }>('SELECT trim_scale(sum(charge))::text AS charge, count(*) AS rows FROM usage WHERE organization_id = $1', [money.tenant.organizationId]);
    expect([sum!.charge, Number(sum!.rows)]).toEqual([String(1 + 4 * odd.length), 1 + 2 * odd.length]);
  });

  it('of all kinds of absurdity at once is stored, counted once when it comes again, and rolled up', async () => {
    const absurdity = fc.record(Object.fromEntries(fields.map((field) => [field, fc.constantFrom(...absurd[field]!)])), { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(fc.array(absurdity, { minLength: 1, maxLength: 8 }), async (all) => {
        const rows = all.map((diagnostics) => rowWith(paid(1), diagnostics as Record<string, string>));
        expect(await settleRows(...rows)).toBe(rows.length);
        flush -= 1;
        expect(await settleRows(...rows)).toBe(0);
      }),
      { numRuns: 60 },
    );
    await inRollback(async (owner) => {
      await owner.query('DELETE FROM unrated_batch');
      expect((await owner.query('SELECT rows > 0 AS counted FROM rollup_add(10000)')).rows).toEqual([{ counted: true }]);
      expect((await owner.query('SELECT FROM unrolled_batch')).rowCount).toBe(0);
    });
  });

  it('is stored whatever its model is called, although its price says which one it is', () =>
    inRollback(async (owner) => {
      const rows = texts.map((json) => rowWith(paid(1), { model: json }));
      expect((await owner.query('SELECT settle($1, 0, $2) AS written', [session, `[${rows.join(',')}]`])).rows).toEqual([{ written: rows.length }]);
      await owner.query('DELETE FROM unrated_batch');
      expect((await owner.query('SELECT rows > 0 AS counted FROM rollup_add(10000)')).rows).toEqual([{ counted: true }]);
    }));

  it('keeps what can be kept: bounds of numbers, text with its odd characters replaced, and everything else', async () => {
    const row = paid(3);
    await settleRows(rowWith(row, { offset_ms: '2246400000', user: '"a\\u0000\\ud83d\\ude00\\ud83d"', first_token: '1e300', max_tokens: '1e30', upstream_id: '"\\\\u0000"' }));
    const [stored] = await money.sql('SELECT clock_offset_ms, end_user, first_token_at, max_tokens, upstream_id, model, status, counts FROM usage WHERE id = $1', [row.id]);
    expect(stored).toEqual({
      clock_offset_ms: 2_147_483_647, end_user: 'a\ufffd😀\ufffd', first_token_at: new Date(253_402_300_799_999), max_tokens: 9_007_199_254_740_991n, upstream_id: '\\u0000', model: 'mock', status: 200, counts: { input: 3 },
    });
  });

  it.each<[string, Record<string, string>, string]>([
    ['counts that are none', { counts: 'null' }, '23502'],
    ['a charge above its hold', { hold: '"0.5"' }, '23514'],
    ['a charge that is no number', { charge: '"NaN"', rated: '"NaN"', hold: '"NaN"' }, '23514'],
    ['a charge that no column holds', { charge: '1e30', rated: '1e30', hold: '1e30' }, '22003'],
    ['an id that is none', { id: '"mine"' }, '22P02'],
    ['an organization that does not exist', { organization: '"00000000-0000-7000-8000-000000000000"' }, '23503'],
    ["another organization's key", { key: '"00000000-0000-7000-8000-000000000000"' }, '23503'],
    ['another project', { project: '"00000000-0000-7000-8000-000000000000"' }, '23503'],
    ['another account', { root: '"00000000-0000-7000-8000-000000000000"' }, '23503'],
    ['a unit that no ledger can post', { unit: `"${'U'.repeat(5_000)}"` }, '23503'],
  ])('is refused for %s, also where its diagnostics are absurd', async (_, money_, sqlState) => {
    expect(await sqlStateFrom(settleRows(rowWith(paid(1), money_)))).toBe(sqlState);
    expect(await sqlStateFrom(settleRows(rowWith(paid(1), { ...money_, offset_ms: '1e300' })))).toBe(sqlState);
    expect(await money.sql('SELECT FROM usage WHERE organization_id = $1', [money.tenant.organizationId])).toEqual([]);
  });
});

describe('a checkpoint', () => {
  it('is stored whatever its diagnostics are, and billed by the reaper', async () => {
    const rows = fields.flatMap((field) => absurd[field]!.map((json) => ({ row: paid(1, { opened: true }), field, json })));
    const open = rows.map(({ row, field, json }) => `{"organization":"${money.tenant.organizationId}","id":"${row.id}","holds":[],"settlement":[${rowWith(row, { [field]: json })}]}`);
    const { rows: answer } = await money.app.query<{ written: number }>('SELECT checkpoint_requests($1, $2) AS written', [session, `[${open.join(',')}]`]);
    expect(answer[0]!.written).toBe(rows.length);
    expect(await money.reap(session)).toMatchObject({ reaped: true, billed: rows.length });
    expect(await money.grant(grant)).toMatchObject({ settled: String(rows.length), leased: '0' });
  });
});

describe('text that JSON can say and Postgres cannot hold', () => {
  it('is made storable as JavaScript would, whatever stands beside it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', '\\', '"', '\0', '\ud83d', '\ude00', '\n', 'u0000', '\u0001', '\u0002', 'é'), { maxLength: 12 }), async (parts) => {
        const text = parts.join('');
        const [row] = await money.sql<{ text: string }>("SELECT json_storable($1::json) ->> 'text' AS text", [JSON.stringify({ text })]);
        expect(row!.text).toBe(text.toWellFormed().replaceAll('\0', '\ufffd'));
      }),
      { numRuns: 300 },
    );
  });
});
