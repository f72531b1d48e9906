import { randomBytes } from 'node:crypto';
import { findFreePort } from '@kilotoken/tools/free-port';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AppProcess } from '../support/cluster-process.js';
import { expectInvariants } from '../support/invariants.js';
import { MoneyDatabase } from '../support/money-database.js';
import { serviceUrl } from '../support/postgres.js';
import { until } from '../support/until.js';

/**
 * A rater that dies or freezes with a claim in its hands: another one takes over within seconds, and each flush is posted once.
 * Its claim is held open by a lock on the counter that its rating needs.
 */

/** A frozen claim ends after five seconds, the next rating comes a moment later; without that end it would last for ever. */
const TAKEOVER_MS_MAX = 25_000;

let money: MoneyDatabase;
let raters: AppProcess[];
let session: string;
let flush = 0;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
beforeEach(async () => {
  raters = [];
  session = await money.newSession();
  await money.newTenant('100');
});
afterEach(async () => {
  await Promise.all(raters.map((rater) => rater.kill()));
  await expectInvariants(money.database.ownerUrl);
});
afterAll(() => money.drop());

const startRater = async (): Promise<AppProcess> => {
  const port = await findFreePort();
  const env = { HOST: '127.0.0.1', INTERNAL_TOKEN: randomBytes(16).toString('hex'), LOG_LEVEL: 'info', METERING_PORT: String(port), APP_DATABASE_URL: serviceUrl(money.database.appUrl, 'metering'), RATING_PAUSE_MS: '50', SESSION_TTL_MS: '600000' };
  const rater = new AppProcess({ app: 'metering', name: `rater-${port}`, port, env });
  raters.push(rater);
  await rater.start();
  return rater;
};

const spend = async (charge: number): Promise<void> => {
  const lease = (await money.take(session, { need: String(charge) })).leases[0]!;
  await money.settle(session, (flush += 1), { charge, allocations: [{ lease: lease.leaseId, grant: lease.grantId, amount: String(charge) }] });
};
const untilPosted = (total: number, timeoutMs: number) =>
  until(`${total} is posted`, async () => {
    const [row] = await money.sql<{ sum: string | null }>("SELECT trim_scale(-sum(amount))::text AS sum FROM ledger_posting WHERE organization_id = $1 AND account = 'usage_revenue'", [money.tenant.organizationId]);
    return row!.sum === String(total);
  }, timeoutMs);

/** Backends of this database that wait for a lock: a rater that has claimed and cannot go on. */
const waitingBackends = async (): Promise<number[]> =>
  (await money.sql<{ pid: number }>("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")).map(({ pid }) => pid);

/** Lets a rater claim a flush and get no further; answers its backend, and what lets it go on. */
const holdClaim = async (): Promise<{ backend: number; release: () => Promise<void> }> => {
  const holder = await money.owner.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM rating_counter WHERE account_root_id = $1 FOR UPDATE', [money.tenant.accountRootId]);
  await spend(3);
  const [backend] = await until('a rater waits with its claim', async () => {
    const backends = await waitingBackends();
    return backends.length > 0 && backends;
  });
  return {
    backend: backend!,
    release: async () => {
      await holder.query('COMMIT');
      holder.release();
    },
  };
};

describe('a rater', () => {
  it('that is killed is noticed while it waits, and the next one rates what it had claimed', async () => {
    const first = await startRater();
    await spend(2);
    await untilPosted(2, TAKEOVER_MS_MAX);
    const { backend, release } = await holdClaim();
    await first.kill('SIGKILL');
    await until('its claim is gone', async () => !(await waitingBackends()).includes(backend));
    await startRater();
    await release();
    await untilPosted(5, TAKEOVER_MS_MAX);
  });

  it('that freezes loses its claim to the next one, and goes on with other work when it thaws', async () => {
    const first = await startRater();
    await spend(2);
    await untilPosted(2, TAKEOVER_MS_MAX);
    const { release } = await holdClaim();
    first.signal('SIGSTOP');
    await release();
    const second = await startRater();
    await untilPosted(5, TAKEOVER_MS_MAX);
    first.signal('SIGCONT');
    await second.kill('SIGKILL');
    await spend(4);
    await untilPosted(9, TAKEOVER_MS_MAX);
    expect(await money.sql('SELECT FROM rated_batch WHERE account_root_id = $1', [money.tenant.accountRootId])).toHaveLength(3);
  });
});
