/**
 * How often and how many at a time a customer may read its account and its models. Reads cost no money, so nothing else bounds them: 300
 * loops of `GET /v1/credits` on one key took the connections that another customer's first request needed for its key. Pure.
 */

export interface ReadLimits {
  /** Of one key: so many a second, and so many at once after a pause. */
  readonly perSecond: number;
  readonly burst: number;
  /** Keys that are remembered; beyond it the one that is longest known is forgotten, and has its burst again. */
  readonly keysMax: number;
  /** Of one organization: reads of the database at a time, and those that wait for their turn. */
  readonly runningMax: number;
  readonly waitingMax: number;
}

export const readLimits: ReadLimits = { perSecond: 20, burst: 200, keysMax: 10_000, runningMax: 2, waitingMax: 20 };

export interface ReadRates {
  readonly limits: ReadLimits;
  /** By key: when it would have its whole burst again, the generic cell rate algorithm's theoretical arrival time. */
  readonly wholeAtMs: Map<string, number>;
}

export const createReadRates = (limits: ReadLimits): ReadRates => ({ limits, wholeAtMs: new Map() });

/** Counts one read of a key. Answers 0, or in how many milliseconds the next one is admitted; then nothing was counted. */
export const countRead = ({ limits, wholeAtMs }: ReadRates, keyId: string, nowMs: number): number => {
  const intervalMs = 1_000 / limits.perSecond;
  const wholeMs = Math.max(nowMs, wholeAtMs.get(keyId) ?? nowMs);
  const waitMs = wholeMs - (limits.burst - 1) * intervalMs - nowMs;
  if (waitMs > 0) return Math.ceil(waitMs);
  if (wholeAtMs.size >= limits.keysMax && !wholeAtMs.has(keyId)) wholeAtMs.delete(wholeAtMs.keys().next().value!);
  wholeAtMs.set(keyId, wholeMs + intervalMs);
  return 0;
};

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

/** Turns of organizations at the database, each with a queue of its own. */
export interface ReadTurns {
  readonly limits: ReadLimits;
  readonly organizations: Map<string, Turns>;
}

export const createReadTurns = (limits: ReadLimits): ReadTurns => ({ limits, organizations: new Map() });

/** Runs `read` in the organization's turn, in the order of asking; null where too many wait. */
export const inTurn = <Result>({ limits, organizations }: ReadTurns, organizationId: string, read: () => Promise<Result>): Promise<Result> | null => {
  let turns = organizations.get(organizationId);
  if (!turns) organizations.set(organizationId, (turns = { running: 0, waiting: [] }));
  const mine = turns;
  if (mine.running >= limits.runningMax && mine.waiting.length >= limits.waitingMax) return null;
  const run = async (): Promise<Result> => {
    if (mine.running >= limits.runningMax) await new Promise<void>((resolve) => mine.waiting.push(resolve));
    else mine.running += 1;
    try {
      return await read();
    } finally {
      // The turn goes on to the one that waits longest.
      const next = mine.waiting.shift();
      if (next) next();
      else mine.running -= 1;
      if (mine.running === 0) organizations.delete(organizationId);
    }
  };
  return run();
};
