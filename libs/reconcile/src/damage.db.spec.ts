import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReconcileFixture } from '../../../test/support/reconcile-fixture.js';
import { describeFinding } from './reconcile.js';
import { runReconcile, type ReconcileOptions } from './reconcile.flow.js';
import { sealedColumns } from './seal-checks.js';

/**
 * A check that finds nothing proves nothing until it has found something. Each damage is planted in books that hold, by the
 * owner, whom neither triggers nor row-level security stop; what is found is exactly what it breaks, and it is named.
 */
let books: ReconcileFixture;

beforeEach(async () => {
  books = await ReconcileFixture.create();
});
afterEach(() => books.drop());

/** The lines of every finding, by check. */
const findings = async (options: ReconcileOptions = {}): Promise<Record<string, string[]>> => {
  const { checks } = await runReconcile(books.money.owner, options);
  return Object.fromEntries(checks.filter(({ found }) => found > 0).map((check) => [check.name, check.findings.map((finding) => describeFinding(check, finding))]));
};

/** Replaces the names of the fixture in a planted statement. */
const plant = (sql: string): Promise<void> => books.plant(sql.replace(/\$(\w+)/g, (as, name: string) => (name in books.ids ? `'${books.ids[name]}'` : as)));

it('books that hold are found to hold, whole, by organization and by period, and what is under way is counted apart', async () => {
  const report = await runReconcile(books.money.owner);
  expect(await findings()).toEqual({});
  expect(report.holds).toBe(true);
  expect(Object.fromEntries(report.checks.map(({ name, checked }) => [name, checked]))).toMatchObject({
    'ledger-balanced': 5, 'ledger-chain': 5, 'ledger-grants': 2, 'grant-conserved': 2, 'lease-settled': 3, 'lease-open': 2, 'allocation-lease': 5,
    'usage-rerated': 7, 'usage-charged': 7, 'usage-allocated': 7, 'usage-attempts': 6, 'usage-rated-once': 7, 'unrated-exists': 2, 'rating-sequence': 2, 'rating-rows': 3,
    'request-open': 1, 'session-fenced': 1,
  });
  expect(report.inFlight).toMatchObject({ openLeases: 2, leased: { USD: '20' }, openRequests: 1, unratedFlushes: 2, unratedRows: 2, sessions: 1, sessionsSilent: 0, quarantined: {}, defaultPartitionRows: 0 });
  for (const organization of books.slugs) expect(await findings({ organization })).toEqual({});
  const [before, after] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)];
  for (const period of [{ from: before }, { to: after }, { from: before, to: after }, { from: after }, { to: before }]) expect(await findings(period)).toEqual({});
});

it('a session whose heartbeat row is gone is counted as silent', async () => {
  await plant('DELETE FROM session_heartbeat');
  expect((await runReconcile(books.money.owner)).inFlight).toMatchObject({ sessions: 1, sessionsSilent: 1 });
});

it('what was put right by an adjustment, or waits in quarantine, is no finding', async () => {
  await plant("UPDATE usage SET rated = 7, charge = 7, allocations = jsonb_set(allocations, '{0,amount}', '\"7\"') WHERE id = $rated");
  await books.money.sql("SELECT rating_adjust_unit($1, $2, 0::smallint, 'USD', 1, $3)", [books.ids['organization'], books.ids['rated'], 'wrong price']);
  expect(Object.keys(await findings())).not.toContain('usage-rerated');
  expect(Object.keys(await findings())).not.toContain('usage-charged');
});

describe('usage that was exported and has left the database', () => {
  beforeEach(async () => {
    await books.rate();
    await books.money.app.query('SELECT rollup_add(1000)');
    await plant(`
      CREATE TABLE leaving AS SELECT c.relname AS partition, substring(b.text FROM $from$FROM \\('([0-9a-f-]+)'\\)$from$)::uuid AS first_id, substring(b.text FROM $to$TO \\('([0-9a-f-]+)'\\)$to$)::uuid AS until_id
        FROM usage u JOIN pg_class c ON c.oid = u.tableoid CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) b WHERE u.id = $rated;
      INSERT INTO usage_archive (partition, first_id, until_id, rows, digest, file, file_bytes, file_sha256, settled_first, settled_last, detached_at)
        SELECT partition, first_id, until_id, 7, '', '/not/here/usage.parquet', 0, '', (SELECT min(settled_at) FROM usage), (SELECT max(settled_at) FROM usage), kt_now() FROM leaving;
      INSERT INTO usage_archive_total SELECT u.organization_id, l.partition, k.kind, a ->> k.kind, sum((a ->> 'amount')::numeric)
        FROM leaving l, usage u CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a CROSS JOIN (VALUES ('lease'), ('grant')) AS k (kind) GROUP BY 1, 2, 3, 4;
      INSERT INTO usage_archive_total SELECT u.organization_id, l.partition, k.kind, k.key, sum(k.amount)
        FROM leaving l, usage u CROSS JOIN LATERAL (VALUES ('rows', u.account_root_id::text, 1), ('charge', u.unit, u.charge), ('rated', u.unit, u.rated), ('cost', u.cost_currency, u.cost)) AS k (kind, key, amount) GROUP BY 1, 2, 3, 4;
      DO $do$ DECLARE t text; BEGIN SELECT partition INTO t FROM leaving; EXECUTE format('ALTER TABLE usage DETACH PARTITION %I', t); END $do$`);
  });

  it('is still proven by the sums that its export kept; only today lacks a partition now', async () => {
    expect(Object.keys(await findings())).toEqual(['usage-partitions']);
    expect((await runReconcile(books.money.owner)).inFlight).toMatchObject({ archivedRows: 7 });
  });

  it('is missed where its sums were changed', async () => {
    await plant("UPDATE usage_archive_total SET amount = amount - 1 WHERE key = $closedLease");
    expect((await findings())['lease-settled']).toEqual([expect.stringContaining('expected 4 (taken by usage rows), found 5')]);
  });
});

it('rows that were updated or deleted in earnest are counted by Postgres, and named by their seal', async () => {
  await plant("UPDATE usage SET upstream_id = 'other' WHERE id = $rated");
  const found = await findings();
  expect(Object.keys(found).sort()).toEqual(['append-only', 'usage-sealed']);
  expect(found['usage-sealed']).toEqual([expect.stringContaining(books.ids['rated']!)]);
  await books.money.sql('SELECT pg_stat_reset()');
  await plant('DELETE FROM ledger_posting WHERE transaction_id = $ratedTransaction AND line = 1');
  expect((await findings())['append-only']).toEqual([expect.stringContaining('ledger_posting')]);
});

it('rows that release 0.3.0 sealed are proven by the seals that it made', async () => {
  const values = sealedColumns.map((column) => (column.endsWith('_at') ? `extract(epoch FROM u.${column})` : `u.${column}`)).join(', ');
  await plant(`UPDATE usage_seal e SET version = 1, digests = ARRAY(
    SELECT substr(sha256(convert_to(ROW(${values})::text, 'UTF8')), 1, 8) FROM unnest(e.organization_ids, e.usage_ids, e.attempts) WITH ORDINALITY k (organization_id, id, attempt, place)
    JOIN usage u USING (organization_id, id, attempt) ORDER BY place)`);
  expect(await findings()).toEqual({});
  await plant("UPDATE usage SET upstream_id = 'other' WHERE id = $rated");
  expect((await findings())['usage-sealed']).toEqual([expect.stringContaining(books.ids['rated']!)]);
});

describe('what is asked for decides where is looked', () => {
  it("another organization's damage is not this one's", async () => {
    await plant("UPDATE usage SET counts = '{\"input\": 4}' WHERE id = $unrated");
    expect(Object.keys(await findings({ organization: books.slugs[0]! }))).toEqual(['usage-rerated', 'usage-sealed']);
    expect(await findings({ organization: books.slugs[1]! })).toEqual({});
  });

  it('a period ends before what was admitted later', async () => {
    await plant("UPDATE usage SET counts = '{\"input\": 4}' WHERE id = $unrated");
    // The counters of `append-only` belong to no period.
    await books.money.sql('SELECT pg_stat_reset()');
    const hourAgo = new Date(Date.now() - 3_600_000);
    expect(await findings({ to: hourAgo })).toEqual({});
    expect(Object.keys(await findings({ from: hourAgo }))).toEqual(['usage-rerated', 'usage-sealed']);
  });

  it('all findings are counted, and as many named as were asked for', async () => {
    await plant('DELETE FROM rate');
    const { checks } = await runReconcile(books.money.owner, { findingsMax: 2 });
    expect(checks.find(({ name }) => name === 'usage-rerated')).toMatchObject({ checked: 7, found: 5 });
    expect(checks.find(({ name }) => name === 'usage-rerated')!.findings).toHaveLength(2);
  });
});
