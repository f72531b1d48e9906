import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@kilotoken/platform';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import { pino } from 'pino';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { until } from '../../../test/support/until.js';
import { testActor } from '../../../test/support/test-actor.js';
import { restSubject, whole, type Limit } from './limit.js';
import { setLimit } from './limits.flow.js';
import { QuotaService, type Decision } from './quota.service.js';

/** Labels that a caller invents do not multiply our work: end users beyond a bound share one counter, and a limit tells of itself once. */

const subjectsMax = 5;

let money: MoneyDatabase;
let prisma: ControlClient;
let organizationId: string;
const started: QuotaService[] = [];

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createControlClient(money.database.ownerUrl, testActor, { applicationName: 'test' });
  await money.sql(`CREATE OR REPLACE FUNCTION limit_subjects_max(p_window_kind text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT ${subjectsMax}'`);
});
beforeEach(async () => {
  ({ organizationId } = await money.newTenant('1000'));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((quota) => quota.stop()));
});
afterAll(async () => {
  await prisma.$disconnect();
  await money.drop();
});

const limitOn = async (amount: string, more: Partial<Limit> = {}): Promise<Limit> => {
  const window = more.windowKind === 'rolling' ? more.windowMs! : 'day';
  const { id } = await setLimit(prisma, { organizationId, subject: { kind: more.subjectKind ?? 'end_user' } as { kind: 'end_user' }, measure: more.measure ?? 'tokens', window, amount, mode: 'hard', ...(more.measure === 'money' ? { currency: 'USD' } : {}) });
  return { id, subjectKind: 'end_user', subjectId: organizationId, measure: 'tokens', unit: 'count', windowKind: 'day', windowMs: 0, amount: whole(Number(amount)), mode: 'hard', ...more };
};

/** A gateway, as far as limits see it. */
const startGateway = async (): Promise<(limit: Limit, user: string, want?: number) => Promise<Decision['kind']>> => {
  const id = await money.newSession();
  const quota = new QuotaService({ databaseUrl: money.database.appUrl, waitersMax: 1_000 }, { id, nowMs: () => Date.now(), isCurrent: () => true, isEnded: () => false, end: () => undefined }, systemClock, pino({ level: 'silent' }));
  started.push(quota);
  return async (limit, user, want = 1) => {
    const decision = await quota.reserve(organizationId, money.mintId(), [{ limit, subject: user, want: whole(want), least: whole(want) }]);
    if (decision.kind === 'reserved') quota.end(organizationId, decision.reservation, () => whole(want));
    return decision.kind;
  };
};
const countersOf = async (limit: Limit): Promise<string[]> =>
  (await money.sql<{ subject: string }>('SELECT DISTINCT subject FROM limit_counter WHERE limit_id = $1 ORDER BY 1', [limit.id])).map(({ subject }) => subject);
const takenOf = async (limit: Limit, subject: string): Promise<number> =>
  Number((await money.sql<{ taken: string }>('SELECT coalesce(sum(taken), 0) AS taken FROM limit_counter WHERE limit_id = $1 AND subject = $2', [limit.id, subject]))[0]!.taken);

describe.each([
  ['a day', {}],
  ['a window that rolls', { windowKind: 'rolling' as const, windowMs: 3_600_000 }],
])('end users under a limit of %s', (_, more) => {
  it('who are more than it may count share one counter, which is limited as one end user', async () => {
    const limit = await limitOn('10', more);
    const reserve = await startGateway();
    for (let user = 0; user < subjectsMax; user += 1) expect(await reserve(limit, `early-${user}`)).toBe('reserved');
    const invented: string[] = [];
    for (let user = 0; user < 40; user += 1) invented.push(await reserve(limit, `invented-${user}`));
    expect(invented.filter((kind) => kind === 'reserved')).toHaveLength(10);
    expect(invented.slice(20).every((kind) => kind === 'refused')).toBe(true);
    expect((await countersOf(limit)).filter((subject) => !subject.startsWith('early-'))).toEqual([restSubject]);
    // Who names nobody is one of the rest too, and who came early has an allowance of its own.
    expect(await reserve(limit, '')).toBe('refused');
    expect(await reserve(limit, 'early-0', 5)).toBe('reserved');
  });

  it('find no second allowance in the rest, on whichever gateway they ask', async () => {
    const limit = await limitOn('10', more);
    const [one, other] = [await startGateway(), await startGateway()];
    for (let user = 0; user < subjectsMax; user += 1) await one(limit, `early-${user}`, 10);
    for (const reserve of [one, other]) expect(await reserve(limit, 'early-0')).toBe('refused');
    expect(await takenOf(limit, restSubject)).toBe(0);
  });

  it('all at once, on two gateways, use together what the rest may use and not more', async () => {
    const limit = await limitOn('10', more);
    const gateways = [await startGateway(), await startGateway()];
    for (let user = 0; user < subjectsMax; user += 1) await gateways[0]!(limit, `early-${user}`);
    const kinds = await Promise.all(Array.from({ length: 120 }, (__, index) => gateways[index % 2]!(limit, `invented-${index}`)));
    const late = await until('what one gateway holds idle has gone to the other', async () => {
      const kind = await gateways[0]!(limit, 'one-more');
      if (kind === 'reserved') kinds.push(kind);
      return kind === 'refused' && (await takenOf(limit, restSubject)) === 10;
    });
    expect(late).toBe(true);
    expect(kinds.filter((kind) => kind === 'reserved').length).toBeLessThanOrEqual(10);
    expect(await countersOf(limit)).toHaveLength(subjectsMax + 1);
  });
});

describe('a dead gateway', () => {
  it('leaves what the rest used counted: no usage row names it', async () => {
    const limit = await limitOn('10');
    const reserve = await startGateway();
    for (let user = 0; user <= subjectsMax; user += 1) await reserve(limit, `user-${user}`, 10);
    const [session] = await money.sql<{ id: string }>('SELECT session_id AS id FROM limit_slice WHERE limit_id = $1 LIMIT 1', [limit.id]);
    await money.reap(session!.id);
    expect([await takenOf(limit, restSubject), await takenOf(limit, 'user-0')]).toEqual([10, 0]);
  });
});

describe('a budget that is reached', () => {
  it.each<[string, Limit['subjectKind'], Partial<Limit>]>([
    ['by many end users', 'end_user', {}],
    ['again and again in a short window that rolls', 'organization', { measure: 'money', unit: 'USD', windowKind: 'rolling', windowMs: 1_000 }],
  ])('%s is told once a window, and at most once a day', async (_name, subjectKind, more) => {
    const limit = await limitOn('1', { subjectKind, ...more });
    const session = await money.newSession();
    for (let subject = 0; subject < 60; subject += 1) {
      await money.app.query('SELECT limit_exchange($1, $2, uuidv7(), uuidv7(), $3)', [session, organizationId, JSON.stringify([{ limit: limit.id, subject: `user-${subject}`, keep: [], need: '2', least: '2', spare: '0', stopped: true }])]);
      if (more.windowMs) await money.shiftClock(`${subject} seconds`);
    }
    const events = await money.sql<{ subject: string }>("SELECT payload ->> 'subject' AS subject FROM outbox_event WHERE organization_id = $1 AND kind = 'budget.reached'", [organizationId]);
    await money.shiftClock('0');
    // A minute of the clock may lie on both sides of midnight.
    expect(events.length).toBeLessThanOrEqual(more.windowMs ? 2 : 1);
    expect(events[0]).toEqual({ subject: 'user-0' });
  });
});
