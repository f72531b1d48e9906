import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReconcileFixture } from '../../../test/support/reconcile-fixture.js';
import { describeFinding } from './reconcile.js';
import { runReconcile, type ReconcileOptions } from './reconcile.service.js';

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
  await books.money.sql('SELECT rating_adjust($1, $2, 0::smallint, 1, $3)', [books.ids['organization'], books.ids['rated'], 'wrong price']);
  expect(Object.keys(await findings())).not.toContain('usage-rerated');
  expect(Object.keys(await findings())).not.toContain('usage-charged');
});

describe('usage that was exported and has left the database', () => {
  beforeEach(async () => {
    await books.rate();
    await plant(`
      CREATE TABLE leaving AS SELECT c.relname AS partition, substring(b.text FROM $from$FROM \\('([0-9a-f-]+)'\\)$from$)::uuid AS first_id, substring(b.text FROM $to$TO \\('([0-9a-f-]+)'\\)$to$)::uuid AS until_id
        FROM usage u JOIN pg_class c ON c.oid = u.tableoid CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) b WHERE u.id = $rated;
      INSERT INTO usage_archive (partition, first_id, until_id, rows, digest, file, file_bytes, file_sha256, detached_at)
        SELECT partition, first_id, until_id, 7, '', '', 0, '', kt_now() FROM leaving;
      INSERT INTO usage_archive_total SELECT u.organization_id, l.partition, 'lease', a ->> 'lease', sum((a ->> 'amount')::numeric)
        FROM leaving l, usage u CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a GROUP BY 1, 2, 4;
      DO $do$ DECLARE t text; BEGIN SELECT partition INTO t FROM leaving; EXECUTE format('ALTER TABLE usage DETACH PARTITION %I', t); END $do$`);
  });

  it('is still proven by the sums that its export kept; only today lacks a partition now', async () => {
    expect(Object.keys(await findings())).toEqual(['usage-partitions']);
    expect((await runReconcile(books.money.owner)).inFlight).toMatchObject({ archivedRows: 7 });
  });

  it('is missed where its sums were changed', async () => {
    await plant("UPDATE usage_archive_total SET amount = amount - 1 WHERE key = $closedLease");
    expect((await findings())['lease-settled']).toEqual([expect.stringContaining('expected 4 (what usage rows took of it), found 5')]);
  });
});

interface Damage {
  readonly what: string;
  readonly sql: string;
  /** Each check that finds it, with what its lines name; all other checks find nothing. */
  readonly found: Readonly<Record<string, readonly string[]>>;
}

const damages: readonly Damage[] = [
  {
    what: 'a usage row that was deleted after it was rated',
    sql: 'DELETE FROM usage WHERE id = $rated',
    found: { 'rating-rows': ['expected 3', 'found 2'], 'rating-posted': ['organization', 'rating', 'grant_liability', 'usage_revenue'] },
  },
  { what: 'a usage row that was deleted before it was rated', sql: 'DELETE FROM usage WHERE id = $unrated', found: { 'unrated-exists': ['unrated', 'organization'] } },
  {
    what: 'a row of a closed lease that was deleted',
    sql: 'DELETE FROM usage WHERE id = $closedUsage',
    found: { 'lease-settled': ['closedLease', 'expected 0', 'found 5'], 'unrated-exists': ['closedUsage'] },
  },
  {
    what: 'a charge that was changed',
    sql: 'UPDATE usage SET charge = 0.5 WHERE id = $rated',
    found: { 'append-only': ['usage_'], 'usage-charged': ['rated', 'expected 1', 'found 0.5'], 'usage-allocated': ['rated'], 'rating-posted': ['grant_liability', 'uncollected'] },
  },
  {
    what: 'an amount, an allocation and a charge that were changed alike',
    sql: "UPDATE usage SET rated = 2, charge = 2, allocations = jsonb_set(allocations, '{0,amount}', '\"2\"') WHERE id = $closedUsage",
    found: { 'append-only': [], 'lease-settled': ['closedLease', 'expected 2', 'found 5'], 'usage-rerated': ['closedUsage', 'expected 5', 'found 2'] },
  },
  {
    what: 'counts that were changed',
    sql: "UPDATE usage SET counts = '{\"input\": 4}' WHERE id = $unrated",
    found: { 'append-only': [], 'usage-rerated': ['unrated', 'organization', 'expected 4', 'found 3'] },
  },
  { what: 'counts that are none', sql: "UPDATE usage SET counts = '{\"input\": 2.5}' WHERE id = $unrated", found: { 'append-only': [], 'usage-rerated': ['unrated', 'input'] } },
  { what: 'counts that are no object', sql: "UPDATE usage SET counts = '[]' WHERE id = $unrated", found: { 'append-only': [], 'usage-rerated': ['unrated', 'no counts'] } },
  { what: 'a price that was changed', sql: 'UPDATE rate SET amount = amount + 0.000000000001', found: { 'usage-rerated': ['rated', 'price', 'expected 1.000000000001', 'found 1'] } },
  { what: 'a price that was deleted', sql: 'DELETE FROM rate', found: { 'usage-rerated': ['rated', 'prices and counts for input'] } },
  { what: 'a price version of another model', sql: "INSERT INTO model VALUES ('other', 1, 1, 'seed'); UPDATE price_version SET model_id = 'other'", found: { 'usage-rerated': ['a price version of mock in USD'] } },
  {
    what: 'a doubled posting',
    sql: 'INSERT INTO ledger_posting SELECT organization_id, transaction_id, line + 100, account, unit, amount FROM ledger_posting WHERE transaction_id = $ratedTransaction',
    found: { 'ledger-chain': ['ratedTransaction'], 'rating-posted': ['rating', 'organization'] },
  },
  {
    what: 'a doubled transaction of a grant',
    sql: `INSERT INTO ledger_transaction SELECT organization_id, $otherLease::uuid, kind, 'again', posted_at, position + 1000, hash, hash FROM ledger_transaction WHERE id = $grantTransaction;
      INSERT INTO ledger_posting SELECT organization_id, $otherLease::uuid, line, account, unit, amount FROM ledger_posting WHERE transaction_id = $grantTransaction`,
    found: { 'ledger-chain': ['otherLease'], 'ledger-grants': ['organization', 'grant_liability', 'expected 100', 'found 200'] },
  },
  { what: 'a posting that is one-sided', sql: "INSERT INTO ledger_posting SELECT organization_id, transaction_id, 99, 'gift', unit, 1 FROM ledger_posting WHERE transaction_id = $grantTransaction AND line = 1", found: { 'ledger-balanced': ['grantTransaction', 'expected 0', 'found 1'], 'ledger-chain': ['grantTransaction'] } },
  {
    what: 'a posting that was deleted',
    sql: 'DELETE FROM ledger_posting WHERE transaction_id = $ratedTransaction AND line = 1',
    found: { 'append-only': ['ledger_posting'], 'ledger-balanced': ['ratedTransaction'], 'ledger-chain': ['ratedTransaction'], 'rating-posted': ['rating'] },
  },
  {
    what: 'a transaction that was removed from the middle of a chain',
    sql: 'DELETE FROM ledger_posting WHERE transaction_id = $grantTransaction; DELETE FROM ledger_transaction WHERE id = $grantTransaction',
    found: { 'append-only': [], 'ledger-chain': ['organization'], 'ledger-grants': ['expected 100', 'found 0'] },
  },
  { what: 'a leaked lease', sql: 'UPDATE lease SET session_id = $reapedSession WHERE id = $otherLease', found: { 'allocation-lease': ['otherOrganization'], 'lease-open': ['otherLease', 'otherOrganization', 'was reaped'] } },
  {
    what: 'a lease that is gone, with what it held',
    sql: 'DELETE FROM lease WHERE id = $otherLease',
    found: { 'allocation-lease': ['otherUsage', 'nobody'], 'grant-leases': ['otherGrant', 'expected 0; 0', 'found 10; 0'] },
  },
  { what: 'a lease with another slice', sql: 'UPDATE lease SET slice = 12 WHERE id = $lease', found: { 'grant-leases': ['grant', 'expected 12; 5', 'found 10; 5'] } },
  { what: 'a lease that was spent beyond its slice', sql: 'UPDATE lease SET slice = 1 WHERE id = $lease; UPDATE credit_grant SET leased = 1, available = available + 9 WHERE id = $grant', found: { 'lease-settled': ['lease', 'expected 9.5', 'found 1 at most'] } },
  { what: 'a closed lease that settled something else', sql: 'UPDATE lease SET slice = 4, settled = 4 WHERE id = $closedLease; UPDATE credit_grant SET settled = 4, available = available + 1 WHERE id = $grant', found: { 'lease-settled': ['closedLease', 'expected 5', 'found 4'] } },
  {
    what: "an allocation that was moved to another organization's lease",
    sql: "UPDATE usage SET allocations = jsonb_set(jsonb_set(allocations, '{0,lease}', to_jsonb($otherLease::text)), '{0,grant}', to_jsonb($otherGrant::text)) WHERE id = $closedUsage",
    found: { 'append-only': [], 'allocation-lease': ['closedUsage', 'otherLease', 'otherOrganization', 'organization'], 'lease-settled': ['closedLease', 'expected 0', 'found 5'] },
  },
  { what: 'an allocation that cannot be read', sql: "UPDATE usage SET allocations = '{}' WHERE id = $closedUsage", found: { 'append-only': [], 'allocation-lease': ['closedUsage', 'unreadable'], 'lease-settled': ['closedLease'], 'usage-allocated': ['closedUsage', 'expected 5', 'found 0'] } },
  { what: 'a grant that has more than it should', sql: 'UPDATE credit_grant SET available = available + 1, granted = granted + 1 WHERE id = $grant', found: { 'ledger-grants': ['organization', 'expected 101', 'found 100'] } },
  { what: 'a grant that does not add up', sql: 'ALTER TABLE credit_grant DROP CONSTRAINT conserved; UPDATE credit_grant SET available = available + 1 WHERE id = $grant', found: { 'grant-conserved': ['grant', 'expected 95', 'found 96'], 'floor-enforced': ['conserved', 'missing'] } },
  { what: 'a grant below its floor', sql: 'ALTER TABLE credit_grant DROP CONSTRAINT never_below_the_floor; UPDATE credit_grant SET available = -1, granted = granted - 86 WHERE id = $grant', found: { 'floor-enforced': ['never_below_the_floor'], 'grant-floor': ['grant', 'found -1; 10'], 'ledger-grants': [] } },
  { what: 'an adjustment without a reason', sql: 'UPDATE credit_grant SET available = available + 1, adjusted = 1 WHERE id = $grant', found: { 'grant-adjusted': ['grant', 'expected 0', 'found 1'], 'ledger-grants': [] } },
  {
    what: 'a second charge of one request',
    sql: `INSERT INTO usage SELECT again.* FROM usage u, jsonb_populate_record(u, '{"attempt": 1}') again WHERE u.id = $closedUsage`,
    found: { 'usage-attempts': ['closedUsage', 'charged 0 1'], 'lease-settled': ['closedLease', 'expected 10', 'found 5'], 'usage-rated-once': ['closedUsage', 'waiting 0 times, rated 0 times'] },
  },
  { what: 'an attempt that is missing', sql: 'DELETE FROM usage WHERE id = $retried AND attempt = 0', found: { 'usage-attempts': ['retried', 'found attempts 1'], 'rating-rows': [] } },
  { what: 'a gap in rating_seq', sql: 'DELETE FROM rated_batch WHERE account_root_id = $organization AND rating_seq = 1', found: { 'rating-sequence': ['organization', 'expected 1 to 2', 'found 1 numbers, 2 to 2'], 'rating-rows': ['rating'] } },
  { what: 'a position that ran ahead', sql: 'UPDATE rating_position SET rating_seq = 3 WHERE account_root_id = $organization', found: { 'rating-sequence': ['organization', 'expected 1 to 3'] } },
  { what: 'a flush that nobody will rate', sql: 'DELETE FROM unrated_batch WHERE usage_ids @> ARRAY[$unrated]::uuid[]', found: { 'usage-rated-once': ['unrated', 'waiting 0 times, rated 0 times'] } },
  {
    what: 'a flush that was rated and waits again',
    sql: 'INSERT INTO unrated_batch SELECT session_id, flush, shard, ARRAY[organization_id], ARRAY[id], ARRAY[attempt] FROM usage WHERE id = $otherUsage',
    found: { 'usage-rated-once': ['otherUsage', 'waiting 1 times, rated 1 times'] },
  },
  {
    what: 'a rating that is forgotten',
    sql: 'DELETE FROM rated_flush WHERE rating_id = $otherRating',
    found: { 'usage-rated-once': ['otherUsage'], 'rating-rows': ['otherRating', 'expected 1', 'found 0'], 'rating-posted': ['otherRating', 'otherOrganization'] },
  },
  { what: 'an open request of a reaped session', sql: 'UPDATE open_request SET session_id = $reapedSession', found: { 'request-open': ['open', 'a session that was reaped'] } },
  { what: 'a settled request that is open', sql: 'UPDATE open_request SET id = $rated', found: { 'request-open': ['rated', 'a usage row'] } },
  { what: 'a zombie that settled', sql: "UPDATE session SET reaped_at = reaped_at - interval '1 hour' WHERE id = $reapedSession", found: { 'session-fenced': ['closedUsage', 'reapedSession'] } },
  { what: 'months without a partition', sql: 'DO $$ DECLARE t text; BEGIN FOR t IN SELECT c.relname FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = \'usage\'::regclass AND c.relname <> \'usage_default\' LOOP EXECUTE format(\'CREATE TABLE kept AS SELECT * FROM %I; DROP TABLE %I; INSERT INTO usage SELECT * FROM kept; DROP TABLE kept\', t, t); END LOOP; END $$', found: { 'usage-partitions': ['usage_default'] } },
];

describe('damage that was planted is found and named, and nothing else:', () => {
  it.each(damages.map((damage) => [damage.what, damage] as const))('%s', async (_, { sql, found }) => {
    await plant(sql);
    const lines = await findings();
    expect(Object.keys(lines).sort()).toEqual(Object.keys(found).sort());
    for (const [check, names] of Object.entries(found)) for (const name of names) expect(lines[check]!.join('\n')).toContain(books.ids[name] ?? name);
  });
});

describe('what is asked for decides where is looked', () => {
  it("another organization's damage is not this one's", async () => {
    await plant("UPDATE usage SET counts = '{\"input\": 4}' WHERE id = $unrated");
    expect(Object.keys(await findings({ organization: books.slugs[0]! }))).toEqual(['usage-rerated']);
    expect(await findings({ organization: books.slugs[1]! })).toEqual({});
  });

  it('a period ends before what was admitted later', async () => {
    await plant("UPDATE usage SET counts = '{\"input\": 4}' WHERE id = $unrated");
    // The counters of `append-only` belong to no period.
    await books.money.sql('SELECT pg_stat_reset()');
    const hourAgo = new Date(Date.now() - 3_600_000);
    expect(await findings({ to: hourAgo })).toEqual({});
    expect(Object.keys(await findings({ from: hourAgo }))).toEqual(['usage-rerated']);
  });

  it('all findings are counted, and as many named as were asked for', async () => {
    await plant('DELETE FROM rate');
    const { checks } = await runReconcile(books.money.owner, { findingsMax: 2 });
    expect(checks.find(({ name }) => name === 'usage-rerated')).toMatchObject({ checked: 7, found: 5 });
    expect(checks.find(({ name }) => name === 'usage-rerated')!.findings).toHaveLength(2);
  });
});
