import { createSlots } from './slots.js';

/** How late a deadline may be noticed. */
const tickMs = 50;

/** Deadlines that are hardly ever reached. One timer looks at all of them: one for each would cost a request two microseconds. */
export interface Deadlines {
  /** Calls `expire` once when so much time has passed, if that is not called off before; answers how to call it off. */
  add(inMs: number, expire: () => void): () => void;
  stop(): void;
}

interface Deadline {
  /** Infinity once it was noticed or called off. */
  atMs: number;
  readonly expire: () => void;
  slot: number;
}

export const createDeadlines = (monotonicMs: () => number): Deadlines => {
  const waiting = createSlots<Deadline>();
  const remove = (deadline: Deadline): void => {
    // Its place may be another's by now.
    if (deadline.atMs === Infinity) return;
    deadline.atMs = Infinity;
    waiting.remove(deadline.slot);
  };
  const timer = setInterval(() => {
    const nowMs = monotonicMs();
    for (const deadline of waiting.values()) {
      if (nowMs < deadline.atMs) continue;
      remove(deadline);
      deadline.expire();
    }
  }, tickMs);
  return {
    add: (inMs, expire) => {
      const deadline: Deadline = { atMs: monotonicMs() + inMs, expire, slot: 0 };
      deadline.slot = waiting.add(deadline);
      return () => remove(deadline);
    },
    stop: () => clearInterval(timer),
  };
};
