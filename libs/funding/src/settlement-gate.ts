/**
 * Whether a gateway may admit while its settlements fail. An answer whose usage cannot be stored is free to its customer and paid by
 * us, so a gateway stops admitting when it stores nothing any more, and tries again by itself. Pure.
 *
 *   open ──failures in a row──▶ closed ──after a wait──▶ half open: one request at a time ──it is stored──▶ open
 *                                  ▲                                    │
 *                                  └────────────it fails────────────────┘
 *
 * Rows that fail for what one customer puts into them must stop that customer alone. So an organization has a gate of its own, and the
 * whole gateway closes only when nobody but those who fail had anything stored lately, or when several of them fail in a row.
 */

export interface SettlementGateLimits {
  /** Settlements that fail in a row, of one organization for its own gate, of all for the gateway's. */
  readonly failuresMax: number;
  /** So many organizations that fail in a row are no longer the fault of one. */
  readonly organizationsMax: number;
  /** For how long a stored settlement of somebody else proves that the gateway itself is well. */
  readonly provenMs: number;
  /** The pause before one request is tried again; doubled with each further failure, up to the most. */
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
  /** A request that was let through on trial and never settled, because something else refused it, is waited for no longer. */
  readonly trialMsMax: number;
  /** A flush that is executed again and again for this long is a failure too. Below it, a database that restarts is waited for. */
  readonly stallMsMax: number;
  /** Organizations that are remembered as failing. */
  readonly trackedMax: number;
}

export const settlementGateLimits: SettlementGateLimits = {
  failuresMax: 5,
  organizationsMax: 3,
  provenMs: 600_000,
  pauseMsMin: 2_000,
  pauseMsMax: 30_000,
  trialMsMax: 10_000,
  stallMsMax: 5_000,
  trackedMax: 10_000,
};

interface Gate {
  failures: number;
  /** Pauses since the gate was open: what still runs when one begins, and fails too, makes it no longer. */
  pauses: number;
  /** Until when nobody is admitted; null while the gate is open. */
  pausedUntilMs: number | null;
  /** Until when the request on trial is waited for. */
  trialUntilMs: number;
}

export interface SettlementGate {
  readonly limits: SettlementGateLimits;
  readonly all: Gate;
  readonly failing: Map<string, Gate>;
  /** Organizations that failed since anything was stored. */
  readonly failingInARow: Set<string>;
  /** The last `organizationsMax` that had something stored, and when: one of them is not among fewer that fail. */
  readonly stored: Map<string, number>;
  stalledSinceMs: number | null;
}

/** Why nobody is admitted. */
export type GatewayClosed = 'settlements_fail' | 'settlement_stalls';
/** Why nobody, or not this organization, is admitted. */
export type GateClosed = GatewayClosed | 'settlements_of_organization_fail';

const createGate = (): Gate => ({ failures: 0, pauses: 0, pausedUntilMs: null, trialUntilMs: -Infinity });

export const createSettlementGate = (limits: SettlementGateLimits): SettlementGate => ({
  limits,
  all: createGate(),
  failing: new Map(),
  failingInARow: new Set(),
  stored: new Map(),
  stalledSinceMs: null,
});

const open = (gate: Gate): void => {
  gate.failures = 0;
  gate.pauses = 0;
  gate.pausedUntilMs = null;
  gate.trialUntilMs = -Infinity;
};

const isPaused = ({ pausedUntilMs }: Gate, nowMs: number): boolean => pausedUntilMs !== null && nowMs < pausedUntilMs;

const pause = (gate: Gate, { pauseMsMin, pauseMsMax }: SettlementGateLimits, nowMs: number): void => {
  if (isPaused(gate, nowMs)) return;
  gate.pausedUntilMs = nowMs + Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(30, gate.pauses));
  gate.pauses += 1;
  gate.trialUntilMs = -Infinity;
};

/** A row of this organization was stored. */
export const recordStored = (gate: SettlementGate, organizationId: string, nowMs: number): void => {
  const { all, failing, failingInARow, stored, limits } = gate;
  gate.stalledSinceMs = null;
  if (all.failures > 0) {
    open(all);
    failingInARow.clear();
  }
  if (failing.size > 0) failing.delete(organizationId);
  if (!stored.delete(organizationId) && stored.size >= limits.organizationsMax) stored.delete(stored.keys().next().value!);
  stored.set(organizationId, nowMs);
};

const isProven = ({ stored, failingInARow, limits }: SettlementGate, nowMs: number): boolean => {
  for (const [id, atMs] of stored) if (!failingInARow.has(id) && nowMs - atMs < limits.provenMs) return true;
  return false;
};

/** A settlement could not be stored, and its answer is free: its row is in quarantine. */
export const recordFailed = (gate: SettlementGate, organizationId: string, nowMs: number): void => {
  const { limits, all, failing, failingInARow } = gate;
  let own = failing.get(organizationId);
  if (!own) {
    if (failing.size >= limits.trackedMax) failing.delete(failing.keys().next().value!);
    failing.set(organizationId, (own = createGate()));
  }
  own.failures += 1;
  if (own.failures >= limits.failuresMax) pause(own, limits, nowMs);
  all.failures += 1;
  gate.stalledSinceMs = null;
  if (failingInARow.size < limits.organizationsMax) failingInARow.add(organizationId);
  if (all.failures < limits.failuresMax) return;
  if (failingInARow.size >= limits.organizationsMax || !isProven(gate, nowMs)) pause(all, limits, nowMs);
};

/** Something has to be executed again: settlements stall from the first failure until Postgres takes one, or says that it never will. */
export const recordStalled = (gate: SettlementGate, nowMs: number): void => {
  gate.stalledSinceMs ??= nowMs;
};

const isStalled = ({ stalledSinceMs, limits }: SettlementGate, nowMs: number): boolean => stalledSinceMs !== null && nowMs - stalledSinceMs >= limits.stallMsMax;
const isOnTrial = ({ pausedUntilMs, trialUntilMs }: Gate, nowMs: number): boolean => pausedUntilMs !== null && nowMs < trialUntilMs;

/**
 * Why the gateway takes no requests, for its readiness. Null also while it is half open: whoever sends requests by that answer has to
 * send the one that opens it.
 */
export const whyNotReady = (gate: SettlementGate, nowMs: number): GatewayClosed | null => {
  if (isStalled(gate, nowMs)) return 'settlement_stalls';
  return isPaused(gate.all, nowMs) ? 'settlements_fail' : null;
};

const closedFor = (gate: SettlementGate, own: Gate | undefined, nowMs: number): GateClosed | null => {
  const notReady = whyNotReady(gate, nowMs);
  if (notReady) return notReady;
  if (own && (isPaused(own, nowMs) || isOnTrial(own, nowMs))) return 'settlements_of_organization_fail';
  return isOnTrial(gate.all, nowMs) ? 'settlements_fail' : null;
};

/** Why this organization is not admitted now; null where it is. Takes no trial: for whoever only wants to refuse early. */
export const whyClosed = (gate: SettlementGate, organizationId: string, nowMs: number): GateClosed | null =>
  gate.all.failures === 0 && gate.stalledSinceMs === null && gate.failing.size === 0 ? null : closedFor(gate, gate.failing.get(organizationId), nowMs);

/** The same for a request that is admitted where the answer is null: behind a gate that is half open it is the one on trial. */
export const admitBehindGate = (gate: SettlementGate, organizationId: string, nowMs: number): GateClosed | null => {
  if (gate.all.failures === 0 && gate.stalledSinceMs === null && gate.failing.size === 0) return null;
  const own = gate.failing.get(organizationId);
  const closed = closedFor(gate, own, nowMs);
  if (closed) return closed;
  const untilMs = nowMs + gate.limits.trialMsMax;
  if (gate.all.pausedUntilMs !== null) gate.all.trialUntilMs = untilMs;
  if (own && own.pausedUntilMs !== null) own.trialUntilMs = untilMs;
  return null;
};
