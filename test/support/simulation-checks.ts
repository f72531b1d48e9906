import type { Money } from '@kilotoken/money';
import type { SimulatedDatabase } from './simulated-database.js';
import type { SimulatedGateway } from './simulated-gateway.js';
import type { SimulatedRequest } from './simulated-request.js';

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
  for (const { state, hold, holdIsReleased, plan } of gateway.requests.values()) {
    if (state === 'waiting') waiting.set(plan.organizationId, (waiting.get(plan.organizationId) ?? 0) + 1);
    if (hold && !holdIsReleased) for (const { lease, amount } of hold.parts) held.set(lease.id, (held.get(lease.id) ?? 0n) + amount);
  }
  for (const [organizationId, { wallet }] of gateway.accounts) {
    demand(wallet.waiters.length === (waiting.get(organizationId) ?? 0), () => `${wallet.waiters.length} wait in the wallet of ${organizationId}, ${waiting.get(organizationId)} requests do`);
    for (const lease of wallet.leases) {
      const known = database.leases.get(lease.id);
      demand(lease.free >= 0n && lease.held >= 0n && lease.settled >= 0n && lease.slice === lease.free + lease.held + lease.settled, () => `${lease.id} does not add up in its wallet`);
      demand(lease.held === (held.get(lease.id) ?? 0n), () => `${lease.id} says that ${lease.held} are held, running requests hold ${held.get(lease.id) ?? 0n}`);
      demand(known !== undefined && !known.isClosed && lease.slice <= known.slice, () => `${lease.id} has ${lease.slice} in its wallet, ${known?.slice} in the database (closed: ${known?.isClosed})`);
      demand(lease.settled <= (database.spentOfLease.get(lease.id) ?? 0n), () => `${lease.id} has settled ${lease.settled} in its wallet, usage took ${database.spentOfLease.get(lease.id) ?? 0n}`);
    }
  }
};

/** I5 and I6: whoever got nothing pays nothing, nobody pays for more than there was, and what is settled is not open. */
export const checkRequests = (requests: readonly SimulatedRequest[], database: SimulatedDatabase): void => {
  for (const request of requests) {
    const row = database.usage.get(request.usageKey);
    if (!row) continue;
    demand(request.hold !== null, () => `I6: ${request.id} was never admitted and is charged ${row.charge}`);
    demand(row.charge <= request.chargeSoFar && row.charge <= row.hold, () => `I6: ${request.id} is charged ${row.charge}, it is worth ${request.chargeSoFar}, ${row.hold} were held`);
    demand(row.allocations.reduce((sum, { amount }) => sum + amount, 0n) === row.charge, () => `I6: the allocations of ${request.id} are not its charge`);
  }
  for (const { organizationId, id } of database.openRequests.values()) demand(!database.usage.has(`${organizationId}/${id}/0`), () => `${id} is settled and open`);
};

/** A request that runs on a live session keeps what its last checkpoint said. */
export const checkCheckpoints = (gateway: SimulatedGateway, database: SimulatedDatabase): void => {
  if (!database.isAlive(gateway.sessionId)) return;
  for (const { state, checkpointed, plan, id } of gateway.requests.values()) {
    if (state !== 'running' || checkpointed === null) continue;
    demand(database.openRequests.has(`${plan.organizationId}/${id}`), () => `${id} has a checkpoint and no open row`);
  }
};

/** I4: told of success only when its usage row is committed, with what it was charged. */
export const checkSuccess = (gateway: SimulatedGateway, request: SimulatedRequest, database: SimulatedDatabase): void => {
  const row = database.usage.get(request.usageKey);
  demand(row !== undefined && row.charge === request.charge && row.sessionId === gateway.sessionId, () => `I4: ${request.id} ended with success at a charge of ${request.charge}, usage says ${row?.charge}`);
};

/** When all is quiet: everything that is leased is known to whom it is leased, nothing is held, and nothing is open. */
export const checkQuiet = (gateways: readonly SimulatedGateway[], database: SimulatedDatabase): void => {
  for (const gateway of gateways) {
    if (gateway.isDead || gateway.isEnded) continue;
    const known = new Map([...gateway.accounts.values()].flatMap(({ wallet }) => wallet.leases.map((lease) => [lease.id, lease])));
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
    if (request.end === 'success') demand(row?.charge === request.charge, () => `I4: ${request.id} ended with success at ${request.charge}, it is billed ${row?.charge}`);
  }
};
