import { performance } from 'node:perf_hooks';

/** Time is injected, so that a test decides what time it is. */
export interface Clock {
  /** Wall-clock time in whole milliseconds since 1970. It may step in either direction; never measure a duration with it. */
  nowMs(): number;
  /** Milliseconds since some fixed moment of this process. It never goes back; it says nothing about the date. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
