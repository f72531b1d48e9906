/**
 * Which sessions are dead. Pure. A session is dead when its heartbeat counter was seen unchanged for `sessionTtlMs` by one
 * reaper, on the reaper's monotonic clock, with the database answering all the while: nobody's wall clock is asked, and a
 * database that was away makes nobody dead.
 */
export interface ObservedBeat {
  readonly beat: bigint;
  readonly sinceMs: number;
}

export interface Observation {
  readonly beats: ReadonlyMap<string, ObservedBeat>;
  readonly seenAtMs: number;
}

export const nothingObserved: Observation = { beats: new Map(), seenAtMs: -Infinity };

/**
 * A look that comes later than this after the last one saw nothing in between: everybody's silence starts again. Half a time to
 * live at most: while the database is away nobody can beat either, and that alone must kill nobody.
 */
export const lookGapMsMax = (sessionTtlMs: number): number => Math.min(5_000, sessionTtlMs / 2);

export const observe = (before: Observation, beats: ReadonlyMap<string, bigint>, nowMs: number, sessionTtlMs: number): Observation => {
  const gap = nowMs - before.seenAtMs > lookGapMsMax(sessionTtlMs);
  const next = new Map<string, ObservedBeat>();
  for (const [sessionId, beat] of beats) {
    const known = before.beats.get(sessionId);
    next.set(sessionId, known && known.beat === beat && !gap ? known : { beat, sinceMs: nowMs });
  }
  return { beats: next, seenAtMs: nowMs };
};

/** Each with the counter at which it fell silent. */
export const deadSessions = ({ beats, seenAtMs }: Observation, sessionTtlMs: number): { readonly sessionId: string; readonly beat: bigint }[] =>
  [...beats].filter(([, { sinceMs }]) => seenAtMs - sinceMs >= sessionTtlMs).map(([sessionId, { beat }]) => ({ sessionId, beat }));
