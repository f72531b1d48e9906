import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createPool, type AppError } from '@kilotoken/platform';
import type pg from 'pg';
import { createEmptyDatabase } from '../../../test/support/postgres.js';
import { ReconcileFixture } from '../../../test/support/reconcile-fixture.js';
import { until } from '../../../test/support/until.js';
import { openAuditPool } from './audit-pool.store.js';
import { runRecordedReconcile } from './recorded-run.flow.js';
import { describeFinding, type ReconcileReport } from './reconcile.js';
import { runReconcile } from './reconcile.flow.js';

let books: ReconcileFixture;

beforeEach(async () => {
  books = await ReconcileFixture.create();
});
afterEach(() => books.drop());

const errorOf = (run: Promise<unknown>): Promise<AppError> =>
  run.then(
    () => {
      throw new Error('it checked');
    },
    (error: AppError) => error,
  );

describe('what cannot be checked is said, and never found to hold:', () => {
  it('a database of another version, older or newer', async () => {
    await books.money.sql("UPDATE _prisma_migrations SET checksum = 'other' WHERE migration_name LIKE '%spine'");
    await books.money.sql("DELETE FROM _prisma_migrations WHERE migration_name LIKE '%money_functions'");
    await books.money.sql("INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('new', '', '29990101000000_new', now())");
    const { code, publicMessage } = await errorOf(runReconcile(books.money.owner));
    expect(code).toBe('reconcile_version');
    for (const part of ['spine was applied with other contents', 'money_functions is missing', '29990101000000_new is of a newer version']) expect(publicMessage).toContain(part);
  });

  it('a database that is none of Kilotoken', async () => {
    const empty = await createEmptyDatabase();
    const pool = openAuditPool(empty.ownerUrl);
    expect(await errorOf(runReconcile(pool))).toMatchObject({ code: 'reconcile_version' });
    await pool.end();
    await empty.drop();
  });

  it("the application's login, which sees one organization or none", async () => {
    expect(await errorOf(runReconcile(books.money.app))).toMatchObject({ code: 'reconcile_role' });
  });

  it('a login that row-level security binds, whatever it was granted', async () => {
    await books.money.sql('GRANT SELECT ON ALL TABLES IN SCHEMA public TO kilotoken_app');
    expect(await errorOf(runReconcile(books.money.app))).toMatchObject({ code: 'reconcile_role' });
  });

  it('an organization that does not exist, and a period that is empty', async () => {
    expect(await errorOf(runReconcile(books.money.owner, { organization: 'nobody' }))).toMatchObject({ code: 'organization_not_found' });
    expect(await errorOf(runReconcile(books.money.owner, { from: new Date(2), to: new Date(1) }))).toMatchObject({ code: 'reconcile_period' });
  });
});

describe('a login that is a member of kilotoken_auditor', () => {
  const login = { name: 'kilotoken_test_auditor', password: 'a-password-of-tests' };
  let auditor: pg.Pool;
  beforeEach(async () => {
    await books.money.sql(`CREATE ROLE ${login.name} LOGIN PASSWORD '${login.password}' IN ROLE kilotoken_auditor`);
    const url = new URL(books.money.database.ownerUrl);
    [url.username, url.password] = [login.name, login.password];
    auditor = openAuditPool(url.href);
  });
  afterEach(async () => {
    await auditor.end();
    await books.money.sql(`DROP ROLE ${login.name}`);
  });

  it('proves the same as the owner, and keeps what it found', async () => {
    const [mine, owners] = [await runRecordedReconcile(auditor), await runReconcile(books.money.owner)];
    expect(mine.checks.map(({ name, checked, found }) => ({ name, checked, found }))).toEqual(owners.checks.map(({ name, checked, found }) => ({ name, checked, found })));
    expect(mine.inFlight).toMatchObject({ openLeases: 2, unratedRows: 2 });
    await books.plant('DELETE FROM rate');
    await runRecordedReconcile(auditor);
    await books.plant("UPDATE _prisma_migrations SET checksum = 'other' WHERE migration_name LIKE '%spine'");
    await errorOf(runRecordedReconcile(auditor));
    const runs = await books.money.sql('SELECT outcome, findings, reason, report IS NOT NULL AS "hasReport", started_at <= finished_at AS "isInOrder" FROM reconcile_run ORDER BY id');
    expect(runs).toEqual([
      { outcome: 'holds', findings: 0n, reason: null, hasReport: true, isInOrder: true },
      { outcome: 'found', findings: 5n, reason: null, hasReport: true, isInOrder: true },
      { outcome: 'could_not_check', findings: 0n, reason: expect.stringContaining('spine'), hasReport: false, isInOrder: true },
    ]);
  });
});

describe('a run', () => {
  it('writes nothing, and leaves its connection as it was', async () => {
    const pool = createPool({ connectionString: books.money.database.ownerUrl, max: 1, applicationName: 'test' });
    const before = await pool.query('SELECT pg_current_wal_insert_lsn() AS at, current_setting($1) AS memory', ['work_mem']);
    await runReconcile(pool);
    const after = await pool.query("SELECT pg_current_xact_id_if_assigned() AS xid, current_setting('work_mem') AS memory, current_setting('transaction_read_only') AS readonly");
    expect(after.rows[0]).toEqual({ xid: null, memory: before.rows[0].memory, readonly: 'off' });
    await pool.end();
  });

  it('that is told to stop ends at once, the statement under way with it', async () => {
    const pool = openAuditPool(books.money.database.ownerUrl);
    const stop = new AbortController();
    // Its first check waits for this lock.
    const locker = await books.money.owner.connect();
    await locker.query('BEGIN; LOCK TABLE ledger_transaction IN ACCESS EXCLUSIVE MODE');
    const waiting = (count: number) => async () =>
      (await books.money.sql<{ n: bigint }>("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'kilotoken-reconcile' AND datname = current_database() AND wait_event_type = 'Lock'"))[0]!.n === BigInt(count);
    const run = errorOf(runReconcile(pool, { signal: stop.signal }));
    await until('the run waits for the lock', waiting(1));
    stop.abort();
    expect(await run).toBeInstanceOf(Error);
    await until('the server has noticed', waiting(0));
    await locker.query('ROLLBACK');
    locker.release();
    await pool.end();
  });
});

describe('a clean database under live load', () => {
  it('is found to hold at every moment, while requests settle, leases move, raters post and sessions are reaped', async () => {
    const { money } = books;
    await money.newTenant('1000000');
    const ended = new AbortController();
    const running = Array.from({ length: 4 }, () => serveUntil(books, ended.signal));
    const seen: ReconcileReport[] = [];
    try {
      await until('rows wait to be rated', async () => (await money.sql<{ n: bigint }>('SELECT count(*) AS n FROM unrated_batch'))[0]!.n > 20n, 20_000);
      for (let round = 0; round < 8; round += 1) {
        // Raters come later, so that a snapshot certainly has rows that wait.
        if (round === 2) running.push(rateUntil(books, ended.signal), rateUntil(books, ended.signal));
        const report = await runReconcile(money.owner);
        expect(report.checks.flatMap((check) => check.findings.map((finding) => describeFinding(check, finding)))).toEqual([]);
        seen.push(report);
      }
    } finally {
      ended.abort();
      await Promise.all(running);
    }
    const rows = seen.map(({ checks }) => checks.find(({ name }) => name === 'usage-rerated')!.checked);
    expect(seen[0]!.inFlight.unratedRows).toBeGreaterThan(20);
    expect(rows.at(-1)).toBeGreaterThan(rows[0]!);
    expect(await rowsOf('rated_batch')).toBeGreaterThan(3);
  }, 60_000);
});

const rowsOf = async (table: string): Promise<number> => Number((await books.money.sql<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`))[0]!.n);

/** A gateway after the other: takes money, opens and settles requests, gives back what is left or dies. */
const serveUntil = async ({ money }: ReconcileFixture, ended: AbortSignal): Promise<void> => {
  const grant = money.tenant.grantIds[0]!;
  for (let life = 0; !ended.aborted; life += 1) {
    const session = await money.newSession();
    const lease = (await money.take(session, { need: '100' })).leases[0]!.leaseId;
    for (let flush = 1; flush <= 5; flush += 1) {
      const [id, running] = [money.mintId(), money.mintId()];
      const row = { charge: 2, cost: '0.5', allocations: [{ lease, grant, amount: '2' }] };
      await money.checkpoint(session, { ...row, id }, { ...row, id: running });
      await money.settle(session, flush, { id, charge: 0, counts: {}, outcome: 'upstream_failed' }, { ...row, id, attempt: 1, opened: true });
      await money.giveBack(session, { lease, keep: String(100 - flush) });
    }
    // Settled 5 × 2; the reaper bills the five that were left open, and closes the lease.
    if (life % 2 === 0) await money.reap(session);
  }
};

const rateUntil = async (rated: ReconcileFixture, ended: AbortSignal): Promise<void> => {
  while (!ended.aborted) await rated.rate();
};
