import type { Deadlines } from '../bounds/deadlines.js';

/** Notices when nothing has happened for a while. */
export interface IdleWatch {
  /** Something happened; the first call starts the watch. */
  touch(): void;
  stop(): void;
}

/** Calls `onIdle` when `idleMs` have passed since the last touch, and again for as long as `onIdle` answers true. */
export const createIdleWatch = (deadlines: Deadlines, nowMs: () => number, idleMs: number, onIdle: () => boolean): IdleWatch => {
  let touchedMs: number | null = null;
  let callOff: (() => void) | null = null;
  const wait = (inMs: number): void => {
    callOff = deadlines.add(inMs, () => {
      const leftMs = touchedMs! + idleMs - nowMs();
      if (leftMs > 0) return wait(leftMs);
      if (!onIdle()) return;
      touchedMs = nowMs();
      wait(idleMs);
    });
  };
  return {
    touch: () => {
      const isFirst = touchedMs === null;
      touchedMs = nowMs();
      if (isFirst) wait(idleMs);
    },
    stop: () => callOff?.(),
  };
};
