/**
 * Decides which run enters the batch next: first in, first out, bounded by sequences and by projected KV cache, over a queue that is
 * bounded by the same two. (The third bound, the tokens of one decode, is kept by `batch.ts`.) Pure: whoever drives it
 * runs what `start` returns and says when it ended.
 */
export interface DispatchLimits {
  /** In the batch at once. */
  readonly sequencesMax: number;
  /** The sum of what the runs in the batch may come to hold in the KV cache. */
  readonly kvTokensMax: number;
  /** Beyond what runs, how much may wait. */
  readonly waitingSequencesMax: number;
  readonly waitingTokensMax: number;
}

export interface Unit {
  readonly sequences: number;
  readonly kvTokens: number;
}

export type Admission =
  | { readonly admitted: true }
  /** `queue_full` passes by itself, `too_large` never does. */
  | { readonly admitted: false; readonly reason: 'queue_full' | 'too_large' };

export interface DispatchState {
  readonly runningSequences: number;
  readonly runningKvTokens: number;
  readonly waitingSequences: number;
  readonly waitingTokens: number;
}

export interface DispatchQueue<U extends Unit> {
  /** Takes all units of a request or none of them. */
  admit(units: readonly U[]): Admission;
  /** Moves what fits from the head of the queue into the batch. Nothing overtakes a head that does not fit. */
  start(): U[];
  /** Ends a unit wherever it is; false when it is unknown, or ended before. */
  end(unit: U): boolean;
  state(): DispatchState;
}

interface Load {
  sequences: number;
  kvTokens: number;
}

const sumOf = (units: Iterable<Unit>): Load => {
  const load = { sequences: 0, kvTokens: 0 };
  for (const unit of units) add(load, unit);
  return load;
};

const add = (load: Load, { sequences, kvTokens }: Unit, sign: 1 | -1 = 1): void => {
  load.sequences += sign * sequences;
  load.kvTokens += sign * kvTokens;
};

export const createDispatchQueue = <U extends Unit>(limits: DispatchLimits): DispatchQueue<U> => {
  const { sequencesMax, kvTokensMax, waitingSequencesMax, waitingTokensMax } = limits;
  // A set keeps the order of arrival and forgets from anywhere at once.
  const waiting = new Set<U>();
  const running = new Set<U>();
  const waitingLoad = sumOf([]);
  const runningLoad = sumOf([]);

  const fits = (unit: Unit): boolean =>
    runningLoad.sequences + unit.sequences <= sequencesMax && runningLoad.kvTokens + unit.kvTokens <= kvTokensMax;

  return {
    admit: (units) => {
      const asked = sumOf(units);
      const sequencesInAll = sequencesMax + waitingSequencesMax;
      const tokensInAll = kvTokensMax + waitingTokensMax;
      const isTooLarge =
        asked.sequences > sequencesInAll ||
        asked.kvTokens > tokensInAll ||
        units.some(({ sequences, kvTokens }) => sequences > sequencesMax || kvTokens > kvTokensMax);
      if (isTooLarge) return { admitted: false, reason: 'too_large' };
      const isFull =
        runningLoad.sequences + waitingLoad.sequences + asked.sequences > sequencesInAll ||
        runningLoad.kvTokens + waitingLoad.kvTokens + asked.kvTokens > tokensInAll;
      if (isFull) return { admitted: false, reason: 'queue_full' };
      for (const unit of units) {
        waiting.add(unit);
        add(waitingLoad, unit);
      }
      return { admitted: true };
    },
    start: () => {
      const started: U[] = [];
      for (const unit of waiting) {
        if (!fits(unit)) break;
        waiting.delete(unit);
        add(waitingLoad, unit, -1);
        running.add(unit);
        add(runningLoad, unit);
        started.push(unit);
      }
      return started;
    },
    end: (unit) => {
      if (waiting.delete(unit)) {
        add(waitingLoad, unit, -1);
        return true;
      }
      if (!running.delete(unit)) return false;
      add(runningLoad, unit, -1);
      return true;
    },
    state: () => ({
      runningSequences: runningLoad.sequences,
      runningKvTokens: runningLoad.kvTokens,
      waitingSequences: waitingLoad.sequences,
      waitingTokens: waitingLoad.kvTokens,
    }),
  };
};
