import pLimit, { type LimitFunction } from 'p-limit';

/**
 * The rate and concurrency of a customer's reads of its account and models. Reads cost no money, so nothing else bounds them: 300 loops of
 * `GET /v1/credits` on one key took the connections that another customer's first request needed for its key. Pure.
 */

export interface ReadLimits {
  /** Per key: reads a second, and at once after a pause. */
  readonly perSecond: number;
  readonly burst: number;
  /** Remembered keys. Beyond this the oldest is forgotten, and has its burst again. */
  readonly keysMax: number;
  /** Per organization: reads of the database at a time, and reads that wait for their turn. */
  readonly runningMax: number;
  readonly waitingMax: number;
}

export const readLimits: ReadLimits = { perSecond: 20, burst: 200, keysMax: 10_000, runningMax: 2, waitingMax: 20 };

export interface ReadRates {
  readonly limits: ReadLimits;
  /** By key: the moment of its next full burst, the theoretical arrival time of the generic cell rate algorithm. */
  readonly wholeAtMs: Map<string, number>;
}

export const createReadRates = (limits: ReadLimits): ReadRates => ({ limits, wholeAtMs: new Map() });

/** Counts one read of a key and returns 0, or counts nothing and returns the milliseconds until the next one is admitted. */
export const countRead = ({ limits, wholeAtMs }: ReadRates, keyId: string, nowMs: number): number => {
  const intervalMs = 1_000 / limits.perSecond;
  const wholeMs = Math.max(nowMs, wholeAtMs.get(keyId) ?? nowMs);
  const waitMs = wholeMs - (limits.burst - 1) * intervalMs - nowMs;
  if (waitMs > 0) return Math.ceil(waitMs);
  if (wholeAtMs.size >= limits.keysMax && !wholeAtMs.has(keyId)) wholeAtMs.delete(wholeAtMs.keys().next().value!);
  wholeAtMs.set(keyId, wholeMs + intervalMs);
  return 0;
};

/** Turns of organizations at the database, each with its own queue. */
export interface ReadTurns {
  readonly limits: ReadLimits;
  readonly organizations: Map<string, LimitFunction>;
}

export const createReadTurns = (limits: ReadLimits): ReadTurns => ({ limits, organizations: new Map() });

/** Runs `read` in the organization's turn, first come, first served; returns null if too many wait. */
export const inTurn = <Result>({ limits, organizations }: ReadTurns, organizationId: string, read: () => Promise<Result>): Promise<Result> | null => {
  const turns = organizations.get(organizationId) ?? pLimit(limits.runningMax);
  if (turns.activeCount + turns.pendingCount >= limits.runningMax + limits.waitingMax) return null;
  organizations.set(organizationId, turns);
  return turns(read).finally(() => {
    if (turns.activeCount + turns.pendingCount === 0) organizations.delete(organizationId);
  });
};
