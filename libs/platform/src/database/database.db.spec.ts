import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { until } from '../../../../test/support/until.js';
import { assertDurable, assertRowSecurityBinds, durabilityProblems } from './database.durability.js';
import { isDatabaseAway, isRetryable } from './database.errors.js';
import { asOrganization, createPool, inTransaction, type PoolSettings } from './database.js';
import { AppError } from '../errors.js';

let database: TestDatabase;
let pool: pg.Pool;
let owner: pg.Pool;

const settingsFor = (connectionString: string): PoolSettings => ({ connectionString, max: 4, applicationName: 'platform-test', statementTimeoutMs: 30_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createPool({ ...settingsFor(database.ownerUrl), applicationName: 'platform-test-owner' });
  await owner.query('CREATE TABLE lamp (id integer PRIMARY KEY, watts numeric(38,12) NOT NULL DEFAULT 0, CONSTRAINT bright CHECK (id < 1000))');
  await owner.query('CREATE TABLE shade (lamp_id integer REFERENCES lamp (id) DEFERRABLE INITIALLY DEFERRED)');
  await owner.query('GRANT ALL ON lamp, shade TO kilotoken_app');
});

afterAll(async () => {
  await owner.end();
  await database.drop();
});

beforeEach(() => {
  pool = createPool(settingsFor(database.appUrl));
});

afterEach(async () => {
  await pool.end();
  await owner.query('TRUNCATE lamp, shade');
});

const lampIds = async (): Promise<number[]> => (await owner.query<{ id: number }>('SELECT id FROM lamp ORDER BY id')).rows.map(({ id }) => id);

const thrownBy = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('it did not throw');
    },
    (error: unknown) => error,
  );

/** Ends the pool's sessions the way a stopping server does. */
const killSessions = async (): Promise<void> => {
  await owner.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'platform-test' AND datname = current_database()");
};

describe('what the pool returns', () => {
  it('int8 is a bigint, alone and in arrays, and NUMERIC the text with every digit', async () => {
    const { rows } = await pool.query(
      `SELECT 9223372036854775807::int8 AS large, ARRAY[[1::int8, NULL], [-9223372036854775808, 2]] AS many,
              12345678901234567890123456.123456789012::numeric(38,12) AS exact, count(*) AS counted, 7::int4 AS small, NULL::int8 AS nothing`,
    );
    expect(rows[0]).toEqual({
      large: 9223372036854775807n,
      many: [[1n, null], [-9223372036854775808n, 2n]],
      exact: '12345678901234567890123456.123456789012',
      counted: 1n,
      small: 7,
      nothing: null,
    });
  });

  it('a bigint goes in as it came out', async () => {
    expect((await pool.query('SELECT $1::int8 AS value', [2n ** 63n - 1n])).rows[0]).toEqual({ value: 2n ** 63n - 1n });
  });

  it('a statement that takes too long is cancelled by the server', async () => {
    const brief = createPool({ ...settingsFor(database.appUrl), statementTimeoutMs: 50 });
    const error = await thrownBy(brief.query('SELECT pg_sleep(5)'));
    expect(error).toMatchObject({ code: '57014' });
    await brief.end();
  });
});

describe('a transaction', () => {
  it('what resolves is committed, and its value returned', async () => {
    const value = await inTransaction(pool, async (client) => {
      await client.query('INSERT INTO lamp (id) VALUES (1)');
      return 'done';
    });
    expect(value).toBe('done');
    expect(await lampIds()).toEqual([1]);
  });

  it('what throws is rolled back, and its error is the one that comes out', async () => {
    const reason = new Error('changed my mind');
    const error = await thrownBy(
      inTransaction(pool, async (client) => {
        await client.query('INSERT INTO lamp (id) VALUES (1)');
        throw reason;
      }),
    );
    expect(error).toBe(reason);
    expect(await lampIds()).toEqual([]);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('a COMMIT that Postgres turns into a ROLLBACK is no success', async () => {
    const error = await thrownBy(
      inTransaction(pool, async (client) => {
        await client.query('INSERT INTO lamp (id) VALUES (1)');
        await client.query('INSERT INTO lamp (id) VALUES (1000)').catch(() => 'swallowed');
      }),
    );
    expect(error).toMatchObject({ code: 'commit_refused', kind: 'bug' });
    expect(await lampIds()).toEqual([]);
  });

  it('a deferred constraint that fails at COMMIT is a definite no, with the error of Postgres', async () => {
    const error = await thrownBy(inTransaction(pool, (client) => client.query('INSERT INTO shade VALUES (404)')));
    expect(error).toMatchObject({ code: '23503' });
  });

  it('a connection that is lost during COMMIT leaves the outcome unknown, and says so', async () => {
    const error = await thrownBy(
      inTransaction(pool, async (client) => {
        await client.query('INSERT INTO lamp (id) VALUES (1)');
        // The socket ends under the COMMIT: whether the server executes it, nobody here can know.
        const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
        const query = client.query.bind(client) as (text: string) => Promise<unknown>;
        Object.assign(client, {
          query: (text: string) => {
            const answer = query(text);
            if (text === 'COMMIT') stream.destroy();
            return answer;
          },
        });
      }),
    );
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'commit_unknown', kind: 'unavailable' });
    expect(isDatabaseAway((error as AppError).cause)).toBe(true);
  });

  it('a COMMIT that raises a warning is not taken for a success', async () => {
    const error = await thrownBy(
      inTransaction(pool, async (client) => {
        await client.query('INSERT INTO lamp (id) VALUES (1)');
        const query = client.query.bind(client) as (text: string) => Promise<unknown>;
        Object.assign(client, {
          query: async (text: string) => {
            const answer = await query(text);
            // As Postgres does when a wait for a standby is cancelled: the command tag still says COMMIT.
            if (text === 'COMMIT') client.emit('notice', { severity: 'WARNING', message: 'canceling wait for synchronous replication' });
            return answer;
          },
        });
      }),
    );
    expect(error).toMatchObject({ code: 'commit_unknown' });
  });

  it('sessions that the server ends are replaced: idle, between two statements and at once many', async () => {
    await Promise.all(Array.from({ length: 4 }, () => pool.query('SELECT 1')));
    await killSessions();
    await until('the pool has noticed', () => pool.totalCount === 0);
    const error = await thrownBy(
      inTransaction(pool, async (client) => {
        await client.query('SELECT 1');
        await killSessions();
        await client.query('SELECT 1');
      }),
    );
    expect(isDatabaseAway(error)).toBe(true);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('a deadlock is told from other errors, so that its transaction may run again', async () => {
    await owner.query('INSERT INTO lamp (id) VALUES (1), (2)');
    const lockBoth = (first: number, second: number, met: () => Promise<void>) =>
      inTransaction(pool, async (client) => {
        await client.query('UPDATE lamp SET watts = 1 WHERE id = $1', [first]);
        await met();
        await client.query('UPDATE lamp SET watts = 1 WHERE id = $1', [second]);
      });
    let arrived = 0;
    let open: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (open = resolve));
    const meet = (): Promise<void> => {
      arrived += 1;
      if (arrived === 2) open();
      return both;
    };
    const results = await Promise.allSettled([lockBoth(1, 2, meet), lockBoth(2, 1, meet)]);
    const losers = results.filter((result) => result.status === 'rejected');
    expect(losers).toHaveLength(1);
    expect(isRetryable(losers[0]!.reason)).toBe(true);
    expect(isRetryable(new Error('40P01'))).toBe(false);
  });
});

describe('an organization', () => {
  const organizationId = '01890a5d-ac96-774b-bcce-b302099a8057';
  const current = "SELECT current_setting('kilotoken.organization_id', true) AS id";

  it('is set for its transaction and gone after it, also after a failure', async () => {
    const single = createPool({ ...settingsFor(database.appUrl), max: 1 });
    const inside = await asOrganization(single, organizationId, async (client) => (await client.query(current)).rows[0].id as string);
    expect(inside).toBe(organizationId);
    expect((await single.query(current)).rows[0].id || null).toBeNull();
    await thrownBy(asOrganization(single, organizationId, () => Promise.reject(new Error('no'))));
    expect((await single.query(current)).rows[0].id || null).toBeNull();
    await single.end();
  });
});

describe('a database fit for money', () => {
  it('the one that tests run on is', async () => {
    await expect(assertDurable(pool)).resolves.toBeUndefined();
  });

  it('a session whose commits do not wait for the disk is refused', async () => {
    await inTransaction(pool, async (client) => {
      await client.query('SET LOCAL synchronous_commit = off');
      await expect(assertDurable(client)).rejects.toMatchObject({ code: 'database_not_durable', details: { problems: [expect.stringContaining('synchronous_commit is off')] } });
    });
  });

  const right = { version: 180_004, fsync: 'on', fullPageWrites: 'on', synchronousCommit: 'on' };
  it.each([
    ['remote_apply waits even longer', { synchronousCommit: 'remote_apply' }, []],
    ['Postgres 17', { version: 170_009 }, ['Postgres 17 is too old']],
    ['fsync off', { fsync: 'off' }, ['fsync is off']],
    ['full_page_writes off', { fullPageWrites: 'off' }, ['full_page_writes is off']],
    ['local commits', { synchronousCommit: 'local' }, ['synchronous_commit is local']],
    ['everything wrong', { version: 90_600, fsync: 'off', fullPageWrites: 'off', synchronousCommit: 'off' }, ['Postgres 9', 'fsync', 'full_page', 'synchronous']],
  ])('%s: every problem is named', (_what, wrong, expected) => {
    const problems = durabilityProblems({ ...right, ...wrong });
    expect(problems).toHaveLength(expected.length);
    expected.forEach((words, index) => expect(problems[index]).toContain(words));
  });

  it('the application role is bound by row-level security, the owner of everything is refused', async () => {
    await expect(assertRowSecurityBinds(pool)).resolves.toBeUndefined();
    await expect(assertRowSecurityBinds(owner)).rejects.toMatchObject({ code: 'database_role_too_strong' });
  });
});

describe('a database that is away', () => {
  it('nobody listens, the wrong port, no such name: each is "away", none hangs', async () => {
    for (const url of ['postgresql://a:b@127.0.0.1:1/x', 'postgresql://a:b@localhost:1/x', 'postgresql://a:b@no-such-name.invalid/x']) {
      const nowhere = createPool({ ...settingsFor(url), connectTimeoutMs: 3_000 });
      expect(isDatabaseAway(await thrownBy(nowhere.query('SELECT 1')))).toBe(true);
      await nowhere.end();
    }
  });

  it('an error in the statement is not', async () => {
    expect(isDatabaseAway(await thrownBy(pool.query('SELECT no_such_column')))).toBe(false);
    expect(isDatabaseAway(new Error('anything'))).toBe(false);
    expect(isDatabaseAway('text')).toBe(false);
  });

  it('when all connections are in use, waiting for one ends', async () => {
    const single = createPool({ ...settingsFor(database.appUrl), max: 1, connectTimeoutMs: 3_000 });
    const client = await single.connect();
    expect(isDatabaseAway(await thrownBy(single.query('SELECT 1')))).toBe(true);
    client.release();
    await single.end();
  });
});
