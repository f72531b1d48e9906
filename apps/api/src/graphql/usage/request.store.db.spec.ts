import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPool, readAs, type Db } from '@kilotoken/platform';
import type pg from 'pg';
import { serviceUrl } from '../../../../../test/support/postgres.js';
import { RollupDatabase } from '../../../../../test/support/rollup-database.js';
import { listAttempts, listRequests, type RequestSought } from './request.store.js';

/** One large organization among so many small ones that the planner expects few rows of each, over three months. */
const largeRows = 10_000;
const others = 3_000;
const first = 25;
/** A page's rows, each found by its key, and a look into each partition. Sorting the history reads its 10,000 rows. */
const blocksMax = 400;

const nothingSought: RequestSought = { from: null, until: null, models: null, projectId: null, apiKeyId: null, outcome: null };

let usage: RollupDatabase;
let pool: pg.Pool | undefined;
beforeAll(async () => {
  usage = await RollupDatabase.create();
  const [id] = await usage.put([{ settledAt: new Date(), outcome: 'completed' }]);
  const columns = await usage.money.sql<{ name: string }>("SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'usage' ORDER BY ordinal_position");
  /** Copies of the one row, spread over three months: `n` numbers those of an organization, `o` organizations, `a` attempts. */
  const copy = async (changed: Record<string, string>, from: string): Promise<void> => {
    const all: Record<string, string> = { id: "(left(uuid_floor(now() - interval '1 minute' - interval '90 days' * n / $2)::text, 14) || '7' || substr(md5(o || '/' || n), 1, 3) || '-8' || substr(md5(o || '/' || n), 4, 3) || '-' || substr(md5(o || '/' || n), 7, 12))::uuid", ...changed };
    await usage.money.sql(`INSERT INTO usage SELECT ${columns.map(({ name }) => all[name] ?? `u.${name}`).join(', ')} FROM usage u, ${from} WHERE u.id = $1`, [id, largeRows]);
  };
  await copy({ attempt: 'a', outcome: "CASE WHEN n % 10 = 0 AND a = 0 THEN 'failed' ELSE 'completed' END" }, 'generate_series(1, $2::integer) n, (SELECT 0 AS o) x, LATERAL generate_series(0, (n % 10 = 0)::integer) a');
  await copy({ organization_id: 'md5(o::text)::uuid' }, `generate_series(1, ${others}) o, LATERAL (SELECT o * $2::integer / ${others} AS n) x`);
  await usage.money.sql('ANALYZE usage');
  pool = createPool({ connectionString: serviceUrl(usage.money.database.appUrl, 'api'), max: 1, applicationName: 'test' });
});
afterAll(async () => {
  await pool?.end();
  await usage.money.drop();
});

/** Answers what a read answers, and how many blocks it looked at. */
const explained = <Result>(read: (db: Db) => Promise<Result>): Promise<{ result: Result; blocks: number }> =>
  readAs(pool!, { organizationIds: [usage.organizationId] }, async (client) => {
    let blocks = 0;
    const query = async (asked: string | pg.QueryConfig, values: unknown[] = []): Promise<pg.QueryResult> => {
      const config = typeof asked === 'string' ? { text: asked, values } : asked;
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>({ ...config, text: `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${config.text}` });
      const { Plan: plan } = rows[0]!['QUERY PLAN'][0];
      blocks += plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!;
      return client.query(config);
    };
    return { result: await read({ query } as unknown as Db), blocks };
  });

const page = (after: string | null, sought: RequestSought) => explained((db) => listRequests(db, [usage.organizationId], { first, after: after === null ? null : [after] }, sought));

describe('a page of requests of a large organization', () => {
  it.each([
    ['first', null, nothingSought],
    ['first of one outcome', null, { ...nothingSought, outcome: 'completed' }],
    ['first of a month', null, { ...nothingSought, from: new Date(Date.now() - 40 * 86_400_000), until: new Date(Date.now() + 3_600_000) }],
  ] as const)('reads no more than the %s page needs', async (_, after, sought) => {
    const { result, blocks } = await page(after, sought);
    expect(result[0]).toHaveLength(first + 1);
    expect(blocks).toBeLessThan(blocksMax);
  });

  it('reads no more than a page deep in the list needs', async () => {
    const { result } = await page(null, nothingSought);
    let after = result[0]!.at(-2)!.id;
    for (let number = 0; number < 3; number += 1) {
      const next = await page(after, nothingSought);
      expect(next.blocks).toBeLessThan(blocksMax);
      expect(next.result[0]!.every(({ id }) => id < after)).toBe(true);
      after = next.result[0]!.at(-2)!.id;
    }
  });

  it('has the last attempt of each request alone, and finds it by its own outcome', async () => {
    const { result } = await page(null, nothingSought);
    expect(new Set(result[0]!.map(({ id }) => id)).size).toBe(first + 1);
    expect(result[0]!.filter(({ attempt }) => attempt === 1).length).toBeGreaterThan(0);
    const failed = await page(null, { ...nothingSought, outcome: 'failed' });
    expect(failed.result).toEqual([[]]);
  });

  it('finds the attempts of requests in the partitions of their time alone', async () => {
    const { result: listed } = await page(null, nothingSought);
    const places = listed[0]!.map(({ organization, id }) => ({ organizationId: organization, id }));
    const { result, blocks } = await explained((db) => listAttempts(db, places));
    expect(result.map((attempts) => attempts.map(({ attempt }) => attempt))).toEqual(listed[0]!.map(({ attempt }) => (attempt === 1 ? [0, 1] : [0])));
    expect(blocks).toBeLessThan(blocksMax);
  });
});
