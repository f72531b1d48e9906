import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@kilotoken/platform';
import { pino } from 'pino';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom, type Usage } from '../../../test/support/money-database.js';
import { until } from '../../../test/support/until.js';
import { RatingService } from './rating.service.js';
import { readRatingLag } from './rating.store.js';

const allShards = Array.from({ length: 16 }, (_, shard) => shard);
const silent = pino({ level: 'silent' });

let money: MoneyDatabase;
let session: string;
let grant: string;
let lease: string;
let flush = 0;
let quarantineExpected = false;
let reported: { rows: number; mismatches: number }[];

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  quarantineExpected = false;
  reported = [];
  await newBuyer();
});
afterEach(async () => {
  while (await rater().rateOnce());
  await expectInvariants(money.database.ownerUrl, { quarantineExpected });
  await money.sql('TRUNCATE usage_quarantine');
});
afterAll(() => money.drop());

const newBuyer = async (): Promise<void> => {
  session = await money.newSession();
  grant = (await money.newTenant('1000')).grantIds[0]!;
  lease = (await money.take(session, { need: '900' })).leases[0]!.leaseId;
};

const rater = (flushesPerRatingMax = 100, shards = allShards): RatingService =>
  new RatingService({ shards, pauseMs: 5, flushesPerRatingMax }, money.app, systemClock, silent, (rows, mismatches) => reported.push({ rows, mismatches }));

const paid = (charge: number, more: Partial<Usage> = {}): Usage & { id: string } => ({ id: money.mintId(), charge, allocations: [{ lease, grant, amount: String(charge) }], ...more });
const settle = (...rows: Usage[]): Promise<number> => money.settle(session, (flush += 1), ...rows);

/** What was posted for use of the current organization, by account and unit. */
const posted = async (): Promise<Record<string, string>> => {
  const rows = await money.sql<{ line: string; amount: string }>(
    `SELECT p.account || ' ' || p.unit AS line, trim_scale(sum(p.amount))::text AS amount FROM ledger_posting p
     JOIN ledger_transaction t ON t.organization_id = p.organization_id AND t.id = p.transaction_id
     WHERE p.organization_id = $1 AND t.kind = 'usage_rated' GROUP BY p.account, p.unit`,
    [money.tenant.organizationId],
  );
  return Object.fromEntries(rows.map(({ line, amount }) => [line, amount]));
};
const sequence = async (): Promise<[number, number][]> =>
  (await money.sql<{ seq: bigint; rows: number }>('SELECT rating_seq AS seq, rows FROM rated_batch WHERE account_root_id = $1 ORDER BY 1', [money.tenant.accountRootId])).map(({ seq, rows }) => [Number(seq), rows]);
const unrated = async (): Promise<number> => Number((await money.sql<{ count: bigint }>('SELECT count(*) FROM unrated_batch'))[0]!.count);

describe('a rating', () => {
  it('posts what was used and what it cost, and takes it out of the queue', async () => {
    await settle(paid(3, { cost: '0.5' }), paid(4, { cost: '0.25' }));
    expect(await rater().rateOnce()).toBe(false);
    expect(await posted()).toEqual({ 'grant_liability USD': '7', 'usage_revenue USD': '-7', 'vendor_cost USD': '0.75', 'vendor_payable USD': '-0.75' });
    expect(await unrated()).toBe(0);
    expect(reported).toEqual([{ rows: 2, mismatches: 0 }]);
  });

  it('happens once: another finds nothing', async () => {
    await settle(paid(3));
    await rater().rateOnce();
    await rater().rateOnce();
    expect(await posted()).toEqual({ 'grant_liability USD': '3', 'usage_revenue USD': '-3' });
    expect(await sequence()).toEqual([[1, 1]]);
    expect(reported).toHaveLength(1);
  });

  it('of a flush that was rated is refused, and changes nothing', async () => {
    await settle(paid(3));
    const [queued] = await money.sql<{ row: object }>('SELECT to_jsonb(b) AS row FROM unrated_batch b');
    await rater().rateOnce();
    await money.sql('INSERT INTO unrated_batch SELECT * FROM jsonb_populate_record(NULL::unrated_batch, $1)', [queued!.row]);
    expect(await sqlStateFrom(rater().rateOnce())).toBe('23505');
    await money.sql('TRUNCATE unrated_batch');
    expect(await posted()).toEqual({ 'grant_liability USD': '3', 'usage_revenue USD': '-3' });
  });

  it('posts as our loss what was used beyond a hold', async () => {
    await settle(paid(5, { counts: { input: 9 }, rated: '9', hold: '5' }));
    await rater().rateOnce();
    expect(await posted()).toEqual({ 'grant_liability USD': '5', 'uncollected USD': '4', 'usage_revenue USD': '-9' });
  });

  it('posts nothing for attempts that cost nobody anything, and rates them all the same', async () => {
    await settle({ charge: 0, outcome: 'upstream_failed', counts: {} });
    await rater().rateOnce();
    expect(await posted()).toEqual({});
    expect(await sequence()).toEqual([[1, 1]]);
  });

  it('numbers the batches of an account tree without a gap', async () => {
    for (const charges of [[1, 2], [3], [4, 5, 6]]) {
      await settle(...charges.map((charge) => paid(charge)));
      await rater().rateOnce();
    }
    expect(await sequence()).toEqual([[1, 2], [2, 1], [3, 3]]);
  });

  it('takes so many flushes at most, and says whether more may wait', async () => {
    for (const charge of [1, 2, 3]) await settle(paid(charge));
    expect(await rater(2).rateOnce()).toBe(true);
    expect(await unrated()).toBe(1);
    expect(await rater(2).rateOnce()).toBe(false);
    expect(await sequence()).toEqual([[1, 2], [2, 1]]);
  });

  it('takes its own shards alone', async () => {
    await settle(paid(3));
    const shard = parseInt(money.tenant.accountRootId.slice(-1), 16);
    await rater(100, allShards.filter((other) => other !== shard)).rateOnce();
    expect(await unrated()).toBe(1);
    await rater(100, [shard]).rateOnce();
    expect(await unrated()).toBe(0);
  });

  it('rates what a reaper billed', async () => {
    await money.checkpoint(session, paid(6, { opened: true }));
    await money.reap(session);
    await rater().rateOnce();
    expect(await posted()).toEqual({ 'grant_liability USD': '6', 'usage_revenue USD': '-6' });
  });
});

describe('however many raters', () => {
  it('each flush is posted once', async () => {
    const buyers: { id: string; root: string; worth: number }[] = [];
    for (let buyer = 0; buyer < 3; buyer += 1) {
      await newBuyer();
      for (let count = 1; count <= 15; count += 1) await settle(paid(count), paid(1));
      buyers.push({ id: money.tenant.organizationId, root: money.tenant.accountRootId, worth: 15 * 8 + 15 });
    }
    const raters = Array.from({ length: 6 }, () => rater(4));
    await Promise.all(
      raters.map(async (one) => {
        while (await one.rateOnce());
      }),
    );
    while ((await unrated()) > 0) await rater().rateOnce();
    expect(reported.reduce((sum, { rows }) => sum + rows, 0)).toBe(90);
    for (const { id, root, worth } of buyers) {
      money.tenant = { ...money.tenant, organizationId: id, accountRootId: root };
      expect(await posted()).toMatchObject({ 'usage_revenue USD': String(-worth) });
      const batches = await sequence();
      expect(batches.map(([seq]) => seq)).toEqual(batches.map((_, index) => index + 1));
      expect(batches.reduce((sum, [, rows]) => sum + rows, 0)).toBe(30);
    }
  });

  it.each(['taken', 'posted'] as const)('one that dies when it has %s leaves everything to the next', async (when) => {
    await settle(paid(3));
    const dying = await money.app.connect();
    await dying.query('BEGIN');
    const { rows } = await dying.query<{ flushes: number }>('SELECT * FROM rating_claim_rows(uuidv7(), $1, 100, 100)', [allShards]);
    expect(rows[0]!.flushes).toBe(1);
    if (when === 'posted') {
      const totals = [{ organization: money.tenant.organizationId, unit: 'USD', charge: '3', rated: '3', cost: '0', cost_currency: 'USD' }];
      await dying.query("SELECT rating_post(uuidv7(), '[]', $1, $2, '[]')", [
        JSON.stringify([{ root: money.tenant.accountRootId, rows: 1 }]), JSON.stringify(totals),
      ]);
    }
    // While it lives, nobody else touches what it took.
    await rater().rateOnce();
    expect(reported).toEqual([]);
    const { rows: backend } = await dying.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await money.sql('SELECT pg_terminate_backend($1)', [backend[0]!.pid]);
    dying.release(true);
    await until('its flush is free again', async () => {
      await rater().rateOnce();
      return reported.length > 0;
    });
    expect(await posted()).toEqual({ 'grant_liability USD': '3', 'usage_revenue USD': '-3' });
    expect(await sequence()).toEqual([[1, 1]]);
  });

  it('one that runs rates what settles, and stops when it is told to', async () => {
    const running = rater();
    running.start();
    for (const charge of [1, 2, 3]) await settle(paid(charge));
    await until('all is rated', async () => (await unrated()) === 0);
    await running.stop();
    await settle(paid(4));
    expect(await posted()).toMatchObject({ 'usage_revenue USD': '-6' });
    expect(await unrated()).toBe(1);
  });
});

describe('a charge that its price does not give', () => {
  it('is posted as it was charged, and kept with both numbers', async () => {
    await settle(paid(3), paid(4, { counts: { input: 5 } }));
    await rater().rateOnce();
    expect(reported).toEqual([{ rows: 2, mismatches: 1 }]);
    expect(await posted()).toEqual({ 'grant_liability USD': '7', 'usage_revenue USD': '-7' });
    const kept = await money.sql<{ reason: string; raw: Buffer }>('SELECT reason, raw FROM usage_quarantine WHERE organization_id = $1', [money.tenant.organizationId]);
    expect(kept.map(({ reason, raw }) => [reason, JSON.parse(raw.toString())])).toEqual([
      ['rating_mismatch', { counts: { input: 5 }, priceVersionId: money.tenant.priceVersionIds['mock'], stored: '4', recomputed: '5' }],
    ]);
    // The row stays as it is; so that this test can end with all invariants, it is made right by the owner.
    await repair();
  });

  it.each([
    ['a class without a price', { counts: { input: 4, reasoning: 1 } }],
    ['counts that are no numbers', { counts: { input: 'many' } }],
  ])('for %s, keeps nobody else from being rated', async (_name, wrong) => {
    await settle(paid(3));
    await settle(paid(4, wrong));
    await rater().rateOnce();
    expect(await posted()).toEqual({ 'grant_liability USD': '7', 'usage_revenue USD': '-7' });
    const kept = await money.sql<{ raw: Buffer }>('SELECT raw FROM usage_quarantine WHERE organization_id = $1', [money.tenant.organizationId]);
    expect(kept.map(({ raw }) => JSON.parse(raw.toString()).recomputed)).toEqual([null]);
    await repair();
  });

  const repair = async (): Promise<void> => {
    quarantineExpected = true;
    await money.sql("UPDATE usage SET counts = jsonb_build_object('input', charge::int) WHERE organization_id = $1", [money.tenant.organizationId]);
    // The update is what the invariants must not see: they ask the counters of the statistics.
    await money.sql('SELECT pg_stat_force_next_flush()');
    await money.sql("SELECT pg_stat_reset_single_table_counters(oid) FROM pg_class WHERE relname ~ '^usage_'");
  };
});

describe('a key', () => {
  const usedAt = async (): Promise<Date | undefined> => (await money.sql<{ at: Date }>('SELECT last_used_at AS at FROM api_key_use WHERE api_key_id = $1', [money.tenant.keys[0]!.id]))[0]?.at;

  it('was used last when its latest request settled', async () => {
    expect(await usedAt()).toBeUndefined();
    await settle(paid(1));
    await rater().rateOnce();
    const first = (await usedAt())!;
    await settle(paid(1), paid(2));
    await rater().rateOnce();
    expect((await usedAt())!.getTime()).toBeGreaterThan(first.getTime());
    const [{ last }] = await money.sql<{ last: Date }>('SELECT max(settled_at) AS last FROM usage WHERE organization_id = $1', [money.tenant.organizationId]) as [{ last: Date }];
    // Microseconds of the database are milliseconds here, cut by one and rounded by the other.
    expect(Math.abs((await usedAt())!.getTime() - last.getTime())).toBeLessThanOrEqual(1);
  });
});

describe('a counter', () => {
  const counters = () => money.sql<{ accumulator: string; period: string; value: string; published: string }>(
    "SELECT accumulator, to_char(period AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS period, value::text AS value, published::text AS published FROM rating_counter WHERE account_root_id = $1 ORDER BY period",
    [money.tenant.accountRootId],
  );

  it('is what was rated of an account tree in a month, to the token, however many rate', async () => {
    for (let count = 1; count <= 20; count += 1) await settle(paid(count), paid(1));
    await Promise.all(Array.from({ length: 5 }, async () => { while (await rater(3).rateOnce()); }));
    while ((await unrated()) > 0) await rater().rateOnce();
    const month = new Date().toISOString().slice(0, 7);
    expect(await counters()).toEqual([{ accumulator: 'tokens:month', period: `${month}-01`, value: '230', published: '230' }]);
  });

  it('begins anew with each month, and is not moved by a rating that rolls back', async () => {
    await settle(paid(2));
    await money.shiftClock('40 days');
    await settle(paid(5));
    await money.shiftClock('0');
    const dying = await money.app.connect();
    await dying.query('BEGIN');
    await dying.query('SELECT rating_counters_take($1)', [JSON.stringify([{ root: money.tenant.accountRootId, accumulator: 'tokens:month', period: '2020-01-01T00:00:00Z' }])]);
    await dying.query('SELECT rating_counters_add($1)', [JSON.stringify([{ root: money.tenant.accountRootId, accumulator: 'tokens:month', period: '2020-01-01T00:00:00Z', counted: '7' }])]);
    await dying.query('ROLLBACK');
    dying.release();
    await rater().rateOnce();
    expect((await counters()).map(({ value }) => value)).toEqual(['2', '5']);
  });
});

describe('the queue', () => {
  it('is as old as its oldest flush, of whichever session, and of those that a reaper billed', async () => {
    const [first, second] = [await money.newSession(), await money.newSession()];
    for (const number of [3, 4]) await money.settle(first, number, paid(0, { allocations: [] }));
    await money.settle(second, 9, paid(0, { allocations: [] }));
    const age = (sessionId: string, of: number, minutes: number) => money.sql('UPDATE unrated_batch SET created_at = created_at - make_interval(mins => $3) WHERE session_id = $1 AND flush = $2', [sessionId, of, minutes]);
    await age(second, 9, 2);
    expect(Math.floor((await readRatingLag(money.app)).oldestSeconds / 60)).toBe(2);
    await money.sql('UPDATE unrated_batch SET flush = -1 WHERE session_id = $1 AND flush = 4', [first]);
    await age(first, -1, 5);
    expect(Math.floor((await readRatingLag(money.app)).oldestSeconds / 60)).toBe(5);
    await money.sql('UPDATE unrated_batch SET flush = 4 WHERE session_id = $1 AND flush = -1', [first]);
  });


  it('says how much waits, and for how long', async () => {
    expect(await readRatingLag(money.app)).toEqual({ batches: 0, oldestSeconds: 0 });
    await settle(paid(1));
    await settle(paid(2));
    await money.sql("UPDATE unrated_batch SET created_at = created_at - interval '1 minute' WHERE flush = $1", [flush - 1]);
    const lag = await readRatingLag(money.app);
    expect(lag.batches).toBe(2);
    expect(lag.oldestSeconds).toBeGreaterThanOrEqual(60);
  });
});
