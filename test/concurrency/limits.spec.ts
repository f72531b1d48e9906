import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createPool, mintId, systemClock } from '@kilotoken/platform';
import { QuotaService, whole, type Decision, type Limit, type Reservation } from '@kilotoken/quota';
import type pg from 'pg';
import pino from 'pino';
import { MoneyDatabase } from '../support/money-database.js';
import { until } from '../support/until.js';

/** Three gateways' quotas on one real Postgres, each hammering as fast as it can: no interval holds more than the limit. */

const WINDOW_MS = 2_000;
const HAMMERED_MS = 8_000;
const WORKERS = 8;

let money: MoneyDatabase;
let pool: pg.Pool;
const services: QuotaService[] = [];

beforeAll(async () => {
  money = await MoneyDatabase.create();
  pool = createPool({ connectionString: money.database.appUrl, max: 2, applicationName: 'test' });
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await pool.end();
  await money.drop();
});

/** A gateway's quota, with its own session and a poll of what is wanted back. */
const startQuota = async (): Promise<{ quota: QuotaService; session: string; nowMs: () => number; stop: () => void }> => {
  const session = await money.newSession();
  const [row] = (await pool.query<{ ms: number }>('SELECT (extract(epoch FROM kt_now()) * 1000)::float8 AS ms')).rows;
  const offsetMs = row!.ms - performance.now();
  const nowMs = (): number => Math.floor(performance.now() + offsetMs);
  const quota = new QuotaService(
    { databaseUrl: money.database.appUrl, waitersMax: 1_000 },
    { id: session, nowMs, isCurrent: () => true, isEnded: () => false, end: () => { throw new Error('the session was reaped'); } },
    systemClock,
    pino({ enabled: false }),
  );
  services.push(quota);
  const poll = setInterval(() => void money.poll(session).then((answer) => quota.onPoll({ changes: [], recalledLimits: (answer as unknown as { recalledLimits: [] }).recalledLimits })), 250);
  return { quota, session, nowMs, stop: () => clearInterval(poll) };
};

const storeLimit = async (more: Partial<Limit>): Promise<Limit> => {
  const { organizationId } = money.tenant;
  const limit: Limit = { id: randomUUID(), subjectKind: 'organization', subjectId: organizationId, measure: 'requests', unit: 'count', windowKind: 'rolling', windowMs: WINDOW_MS, amount: whole(50), mode: 'hard', ...more };
  await money.sql('INSERT INTO usage_limit VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [
    organizationId, limit.id, limit.subjectKind, limit.subjectId, limit.measure, limit.unit, limit.windowKind, limit.windowMs, String(limit.amount / whole(1)), limit.mode,
  ]);
  return limit;
};

it('three gateways together never admit more than the limit in any interval of its length, and use what it allows', async () => {
  const { organizationId } = await money.newTenant('1');
  const rate = await storeLimit({});
  const places = await storeLimit({ measure: 'concurrency', windowKind: 'none', windowMs: 0, amount: whole(10) });
  const gateways = await Promise.all([startQuota(), startQuota(), startQuota()]);
  const admittedAtMs: number[] = [];
  let running = 0;
  let runningMost = 0;
  const endMs = performance.now() + HAMMERED_MS;

  const work = async ({ quota }: (typeof gateways)[0]): Promise<void> => {
    while (performance.now() < endMs) {
      const needs = [rate, places].map((limit) => ({ limit, subject: organizationId, want: whole(1), least: whole(1) }));
      const decision: Decision = await quota.reserve(organizationId, mintId(Date.now()), needs);
      if (decision.kind === 'reserved') {
        admittedAtMs.push(decision.reservation.atMs);
        running += 1;
        runningMost = Math.max(runningMost, running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
        end(quota, decision.reservation);
      } else await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const end = (quota: QuotaService, reservation: Reservation): void => quota.end(organizationId, reservation, ({ measure }) => (measure === 'requests' ? whole(1) : 0n));
  await Promise.all(gateways.flatMap((gateway) => Array.from({ length: WORKERS }, () => work(gateway))));

  admittedAtMs.sort((a, b) => a - b);
  const most = admittedAtMs.reduce((worst, from, index) => {
    const until = admittedAtMs.findIndex((atMs) => atMs >= from + WINDOW_MS);
    return Math.max(worst, (until === -1 ? admittedAtMs.length : until) - index);
  }, 0);
  expect(most).toBeLessThanOrEqual(50);
  expect(runningMost).toBeLessThanOrEqual(10);
  // The whole limit at the start, and again whenever its window has passed; a window lasts at most 1.5 times its length.
  expect(admittedAtMs.length).toBeGreaterThanOrEqual(100);

  gateways.forEach(({ stop }) => stop());
  await Promise.all(gateways.map(({ quota }) => quota.returnAll(systemClock.monotonicMs() + 5_000)));
  await until('every place is given back', async () => (await money.sql('SELECT FROM limit_slice WHERE limit_id = $1 AND amount > 0', [places.id])).length === 0);
  const [left] = await money.sql<{ taken: string }>('SELECT coalesce(sum(taken), 0) AS taken FROM limit_counter WHERE limit_id = $1', [places.id]);
  expect(Number(left!.taken)).toBe(0);
}, 60_000);

it('a first-ever end user who comes a hundred times at once on three gateways is admitted as often as the limit says', async () => {
  const { organizationId } = await money.newTenant('1');
  const limit = await storeLimit({ subjectKind: 'end_user', windowMs: 60_000, amount: whole(7) });
  const gateways = await Promise.all([startQuota(), startQuota(), startQuota()]);
  const needs = [{ limit, subject: 'ada', want: whole(1), least: whole(1) }];
  const decisions = await Promise.all(Array.from({ length: 100 }, async (_, index) => gateways[index % 3]!.quota.reserve(organizationId, mintId(Date.now()), needs)));
  gateways.forEach(({ stop }) => stop());
  expect(decisions.filter(({ kind }) => kind === 'reserved')).toHaveLength(7);
}, 30_000);
