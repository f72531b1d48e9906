import type { Hold } from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import { burnsBefore, shownCharges, type SimulatedDatabase, type StoredUsage } from './simulated-database.js';
import type { SimulatedGateway } from './simulated-gateway.js';
import { costIn, type SimulatedRequest } from './simulated-request.js';

/** The invariants, checked after every step of a schedule. Each says what is wrong by throwing. */
export class Violation extends Error {}

const demand = (holds: boolean, violation: () => string): void => {
  if (!holds) throw new Violation(violation());
};

/** I2 and I3: every grant is conserved and above its floor, every lease is spent within its slice and closed with what usage took. */
export const checkGrants = ({ grants, leases, spentOfLease }: SimulatedDatabase): void => {
  const open = new Map<string, Money>();
  const closed = new Map<string, Money>();
  for (const lease of leases.values()) {
    const spent = spentOfLease.get(lease.id) ?? 0n;
    const sums = lease.isClosed ? closed : open;
    sums.set(lease.grantId, (sums.get(lease.grantId) ?? 0n) + (lease.isClosed ? lease.settled! : lease.slice));
    if (lease.isClosed) demand(spent === lease.settled, () => `I2: ${lease.id} closed with ${lease.settled}, usage took ${spent}`);
    else demand(spent <= lease.slice, () => `I2: ${lease.id} has a slice of ${lease.slice}, usage took ${spent}`);
  }
  for (const { id, granted, expired, settled, available, leased } of grants.values()) {
    demand(available >= 0n && leased >= 0n, () => `I3: ${id} is below its floor: available ${available}, leased ${leased}`);
    demand(granted - expired - settled === available + leased, () => `I2: ${id} granted ${granted}, expired ${expired}, settled ${settled}, available ${available}, leased ${leased}`);
    demand(leased === (open.get(id) ?? 0n) && settled === (closed.get(id) ?? 0n), () => `I2: ${id} leased ${leased}, open slices ${open.get(id)}; settled ${settled}, closed leases ${closed.get(id)}`);
  }
};

/** What a gateway that may still spend believes: its leases add up, are backed by the database, and are held by who runs. */
export const checkWallets = (gateway: SimulatedGateway, database: SimulatedDatabase): void => {
  if (gateway.isDead || gateway.isEnded || !database.isAlive(gateway.sessionId)) return;
  const held = new Map<string, Money>();
  const waiting = new Map<string, number>();
  const addHold = ({ parts }: Hold): void => {
    for (const { lease, amount } of parts) held.set(lease.id, (held.get(lease.id) ?? 0n) + amount);
  };
  const { accounts, runs } = gateway.funds;
  for (const { id, state, holding, holdIsReleased, plan } of gateway.requests.values()) {
    const run = runs.get(id);
    if (state === 'waiting') {
      plan.units.forEach(({ unit }, of) => {
        const key = `${plan.organizationId} ${unit}`;
        if (!run || (run.isAsking && run.funding.answers[of] === null)) waiting.set(key, (waiting.get(key) ?? 0) + 1);
      });
    }
    for (const answer of run?.funding.answers ?? []) if (answer !== null && typeof answer !== 'string') addHold(answer);
    if (holding && !holdIsReleased) for (const { hold } of holding.units) addHold(hold);
  }
  for (const [key, { wallet }] of accounts) {
    demand(wallet.waiters.length === (waiting.get(key) ?? 0), () => `${wallet.waiters.length} wait in the wallet of ${key}, ${waiting.get(key)} requests do`);
    for (const lease of wallet.leases) {
      const known = database.leases.get(lease.id);
      demand(lease.free >= 0n && lease.held >= 0n && lease.settled >= 0n && lease.slice === lease.free + lease.held + lease.settled, () => `${lease.id} does not add up in its wallet`);
      demand(lease.held === (held.get(lease.id) ?? 0n), () => `${lease.id} says that ${lease.held} are held, running requests hold ${held.get(lease.id) ?? 0n}`);
      demand(known !== undefined && !known.isClosed && lease.slice <= known.slice, () => `${lease.id} has ${lease.slice} in its wallet, ${known?.slice} in the database (closed: ${known?.isClosed})`);
      demand(lease.settled <= (database.spentOfLease.get(lease.id) ?? 0n), () => `${lease.id} has settled ${lease.settled} in its wallet, usage took ${database.spentOfLease.get(lease.id) ?? 0n}`);
    }
  }
};

/** Away from the floor and near it: what is held ends in a unit that covers the request, and holds no more than a worst case. */
export const checkHolding = (request: SimulatedRequest, { grants }: SimulatedDatabase): void => {
  const { units, runs } = request.holding!;
  const { plan, last } = request;
  demand(last.unit.covers && last.held >= last.unit.least, () => `${request.id} ends in ${last.held} ${last.unit.unit}, which does not cover it`);
  for (const [of, { unit, hold }] of units.entries()) {
    const inRuns = runs.reduce((sum, run) => (run.of === of ? sum + run.amount : sum), 0n);
    const { want } = plan.units.find((request) => request.unit === unit)!;
    demand(hold.total === inRuns && hold.total <= want, () => `${request.id} holds ${hold.total} ${unit}, its runs are ${inRuns}, its worst case is ${want}`);
    for (const { lease } of hold.parts) demand(grants.get(lease.grantId)!.unit === unit, () => `${request.id} holds ${lease.id} in ${unit}`);
  }
  // Near the floor what there is of the last unit is taken after all others.
  if (last.held < last.unit.want) return;
  const legs = units.flatMap(({ hold }, of) => hold.parts.map(({ lease, amount }) => ({ of, amount, grant: grants.get(lease.grantId)! })));
  legs.sort((a, b) => burnsBefore(a.grant, b.grant));
  const inOrder = runs.flatMap(({ of, amount }) => (amount > 0n ? [`${of} ${amount}`] : []));
  const expected: { of: number; amount: Money }[] = [];
  for (const { of, amount } of legs) {
    const previous = expected.at(-1);
    if (previous?.of === of) previous.amount += amount;
    else expected.push({ of, amount });
  }
  demand(inOrder.join() === expected.map(({ of, amount }) => `${of} ${amount}`).join(), () => `${request.id} is held in ${inOrder.join()}, its grants burn in another order`);
};

/** Rows do not change, so each is looked at once. */
const checked = new WeakSet<StoredUsage>();

/** I5 and I6: whoever got nothing pays nothing, nobody pays for more than there was, and what is settled is not open. */
export const checkRequests = (requests: readonly SimulatedRequest[], database: SimulatedDatabase): void => {
  for (const request of requests) {
    const row = database.usage.get(request.usageKey);
    if (!row || checked.has(row)) continue;
    checked.add(row);
    checkUsage(request, row, database);
  }
  for (const { organizationId, id } of database.openRequests.values()) demand(!database.usage.has(`${organizationId}/${id}/0`), () => `${id} is settled and open`);
};

const checkUsage = (request: SimulatedRequest, row: StoredUsage, { grants, leases }: SimulatedDatabase): void => {
  const { id, countsSoFar, holding, plan } = request;
  demand(holding !== null, () => `I6: ${id} was never admitted and is charged ${shownCharges(row)}`);
  demand(row.counts.input <= countsSoFar.input && row.counts.output <= countsSoFar.output, () => `I6: ${id} is charged for ${JSON.stringify(row.counts)}, there were ${JSON.stringify(countsSoFar)}`);
  for (const { unit, hold, charge } of row.charges) {
    const held = holding!.units.find((known) => known.unit === unit)?.hold.total;
    demand(hold === held && charge <= hold, () => `I6: ${id} is charged ${charge} ${unit}, ${held} were held`);
    const allocated = row.allocations.reduce((sum, part) => (part.unit === unit ? sum + part.amount : sum), 0n);
    demand(allocated === charge, () => `I6: ${id} is charged ${charge} ${unit}, its allocations are ${allocated}`);
  }
  for (const { unit, grantId, leaseId, amount } of row.allocations) {
    demand(grants.get(grantId)!.unit === unit && leases.get(leaseId)!.grantId === grantId && amount > 0n, () => `I6: ${id} is paid ${amount} ${unit} by ${leaseId} of ${grantId}`);
  }
  // The last unit's hold covers every answer within the bounds, whatever the units before it paid.
  const portions = request.portionsOf(row.counts);
  const isBounded = row.counts.input <= plan.bounds.input && costIn(plan.rates.get(request.last.unit.unit)!, { input: plan.bounds.input, output: row.counts.output }) <= request.last.held;
  demand(!isBounded || portions.every(({ rated, charge }) => rated === charge), () => `${id} stayed within its bounds and is charged less than it is rated`);
  const paid = portions.reduce((sum, { counts }) => sum + (counts.input ?? 0) + (counts.output ?? 0), 0);
  demand(paid === row.counts.input + row.counts.output, () => `${id} counted ${JSON.stringify(row.counts)}, ${paid} tokens are paid`);
};

/** A request that runs on a live session keeps what its last checkpoint said. */
export const checkCheckpoints = (gateway: SimulatedGateway, database: SimulatedDatabase): void => {
  if (!database.isAlive(gateway.sessionId)) return;
  for (const { state, isCheckpointed, plan, id } of gateway.requests.values()) {
    if (state !== 'running' || !isCheckpointed) continue;
    demand(database.openRequests.has(`${plan.organizationId}/${id}`), () => `${id} has a checkpoint and no open row`);
  }
};

/** I4: told of success only when its usage row is committed, with what it was charged. */
export const checkSuccess = (gateway: SimulatedGateway, request: SimulatedRequest, database: SimulatedDatabase): void => {
  const row = database.usage.get(request.usageKey);
  demand(row !== undefined && isCharged(request, row) && row.sessionId === gateway.sessionId, () => `I4: ${request.id} ended with success at a charge of ${request.charges}, usage says ${row && shownCharges(row)}`);
};

const isCharged = ({ charges }: SimulatedRequest, row: StoredUsage): boolean => row.charges.map(({ charge }) => charge).join() === charges?.join();

/** When all is quiet: everything that is leased is known to whom it is leased, nothing is held, and nothing is open. */
export const checkQuiet = (gateways: readonly SimulatedGateway[], database: SimulatedDatabase): void => {
  for (const gateway of gateways) {
    if (gateway.isDead || gateway.isEnded) continue;
    const known = new Map([...gateway.funds.accounts.values()].flatMap(({ wallet }) => wallet.leases.map((lease) => [lease.id, lease])));
    for (const lease of known.values()) demand(lease.held === 0n, () => `${lease.id} is held by nobody: ${lease.held} leaked`);
    for (const lease of database.openLeases(({ sessionId }) => sessionId === gateway.sessionId)) {
      demand(known.get(lease.id)?.slice === lease.slice, () => `${lease.id} of ${lease.slice} is leased to ${gateway.sessionId}, which knows of ${known.get(lease.id)?.slice}`);
    }
    for (const open of database.openRequests.values()) demand(open.sessionId !== gateway.sessionId, () => `${open.id} is open and has ended`);
  }
};

/** When all sessions have been reaped: final balances are exact, and everybody was billed once what they were told. */
export const checkFinal = (requests: readonly SimulatedRequest[], database: SimulatedDatabase): void => {
  checkGrants(database);
  demand(database.openRequests.size === 0, () => 'a request is open though every session was reaped');
  for (const { id, granted, expired, available, leased, settled } of database.grants.values()) {
    const consumed = database.spentOfGrant.get(id) ?? 0n;
    demand(leased === 0n && settled === consumed, () => `${id} ends with ${leased} leased, ${settled} settled, ${consumed} consumed`);
    demand(granted === available + expired + consumed, () => `${id} was granted ${granted}: ${available} available, ${expired} expired, ${consumed} consumed`);
  }
  const byRequest = new Map(requests.map((request) => [request.id, request]));
  for (const row of database.usage.values()) demand(byRequest.has(row.id), () => `usage ${row.id} belongs to no request`);
  for (const request of requests) {
    const row = database.usage.get(request.usageKey);
    demand(request.end !== null, () => `${request.id} never ended`);
    if (request.end === 'success') demand(row !== undefined && isCharged(request, row), () => `I4: ${request.id} ended with success at ${request.charges}, it is billed ${row && shownCharges(row)}`);
  }
};
