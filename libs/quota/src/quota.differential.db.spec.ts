import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { SimulatedLimits, windowOf } from '../../../test/support/simulated-limits.js';
import { createCounter } from './counter.js';
import { whole, type Limit } from './limit.js';
import { exchangeLimits } from './quota.store.js';
import type { CounterState, Exchange } from './quota-state.js';

/** What the property tests take for the database answers as the database does, exchange by exchange. */

let money: MoneyDatabase;
beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

const limitOf = (id: string, more: Partial<Limit>): Limit => ({
  id, subjectKind: 'organization', subjectId: id, measure: 'tokens', unit: 'count', windowKind: 'day', windowMs: 0, amount: whole(100), mode: 'hard', ...more,
});
// Parts of 48 minutes: the test is over before one ends.
const kinds: Partial<Limit>[] = [{}, { windowKind: 'rolling', windowMs: 86_400_000 }, { windowKind: 'none', measure: 'concurrency' }];

/** Early in a part of all windows, as the database's clock says after it was shifted there. */
const shiftToBeginning = async (): Promise<number> => {
  const [row] = await money.sql<{ ms: number }>('SELECT (extract(epoch FROM now()) * 1000)::float8 AS ms');
  let nowMs = Math.ceil(row!.ms / 86_400_000) * 86_400_000;
  nowMs = windowOf(limitOf('rolling', kinds[1]!), nowMs).startMs + 60_000;
  await money.shiftClock(`${nowMs - row!.ms} milliseconds`);
  return nowMs;
};

const step = fc.record({ session: fc.nat({ max: 2 }), need: fc.nat({ max: 60 }), least: fc.nat({ max: 60 }), spare: fc.nat({ max: 40 }), keepPercent: fc.nat({ max: 100 }), close: fc.boolean(), again: fc.boolean() });

it.each(kinds)('limits of %j are exchanged alike in memory and in Postgres', async (kind) => {
  const nowMs = await shiftToBeginning();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const { organizationId } = await money.newTenant('1');
      const limit = limitOf(money.mintId(), { ...kind, subjectId: organizationId });
      await money.sql('INSERT INTO usage_limit VALUES ($1, $2, $3, $1, $4, $5, $6, $7, 100, $8)', [organizationId, limit.id, limit.subjectKind, limit.measure, limit.unit, limit.windowKind, limit.windowMs, limit.mode]);
      const simulated = new SimulatedLimits([limit]);
      const sessions = [await money.newSession(), await money.newSession(), await money.newSession()];
      const known = new Map<string, { startMs: number; amount: bigint }[]>();
      for (const { session: index, need, least, spare, keepPercent, close, again } of steps) {
        const session = sessions[index]!;
        const keep = (known.get(session) ?? []).map(({ startMs, amount }) => ({ startMs, keep: (amount / whole(100)) * BigInt(keepPercent) * whole(1), open: keepPercent > 50, close }));
        const row = { counter: createCounter(limit, organizationId, nowMs), keep, need: whole(need), least: whole(Math.min(need, least)), spare: whole(spare), stopped: false };
        const exchange: Exchange = { id: money.mintId(), firstUsageId: money.mintId(), rows: [row] };
        for (let times = again ? 2 : 1; times > 0; times -= 1) {
          const answered = await exchangeLimits(money.app, session, organizationId, exchange);
          // Whether others were asked back lately depends on how long this test takes; that they were is the same.
          const [state] = simulated.exchange(session, exchange, nowMs) as CounterState[];
          expect([{ ...state, pending: state!.pending && answered[0]!.pending }]).toEqual(answered);
          known.set(session, answered[0]!.slices.map(({ startMs, amount }) => ({ startMs, amount })));
        }
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);
