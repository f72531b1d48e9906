/**
 * Group commit: which finished requests go to Postgres in which flush, and what happens when a flush fails. Pure.
 *
 * One flush is under way at a time. A flush whose outcome is unknown is executed again, the same entries under the same
 * number, until it is known. A data error bisects it; an entry that fails alone is poison and leaves by way of quarantine.
 */
import { assert } from './assert.js';

export interface FlushLimits {
  entriesMax: number;
  bytesMax: number;
}

export interface Entry {
  /** The rows of one request as JSON, ready to be joined with others; all go in one flush. */
  readonly json: string;
}

export interface Flush<E extends Entry> {
  readonly number: bigint;
  readonly entries: readonly E[];
}

export interface SettlementQueue<E extends Entry> {
  readonly limits: FlushLimits;
  readonly pending: E[];
  /** Halves of a flush that met a data error; they go before what is pending. */
  readonly bisected: (readonly E[])[];
  underWay: Flush<E> | null;
  lastNumber: bigint;
}

export const createSettlementQueue = <E extends Entry>(limits: FlushLimits): SettlementQueue<E> => ({
  limits,
  pending: [],
  bisected: [],
  underWay: null,
  lastNumber: 0n,
});

/** Entries that are not known to be committed. */
export const unsettled = <E extends Entry>(queue: SettlementQueue<E>): number =>
  queue.pending.length + queue.bisected.reduce((sum, half) => sum + half.length, 0) + (queue.underWay?.entries.length ?? 0);

/** Starts the next flush, or null when there is nothing to flush or one is under way. At least one entry, whatever its size. */
export const startFlush = <E extends Entry>(queue: SettlementQueue<E>): Flush<E> | null => {
  if (queue.underWay) return null;
  let entries = queue.bisected.shift();
  if (!entries) {
    let count = 0;
    for (let bytes = 0; count < queue.pending.length && count < queue.limits.entriesMax; count += 1) {
      bytes += queue.pending[count]!.json.length;
      if (count > 0 && bytes > queue.limits.bytesMax) break;
    }
    if (count === 0) return null;
    entries = queue.pending.splice(0, count);
  }
  queue.lastNumber += 1n;
  queue.underWay = { number: queue.lastNumber, entries };
  return queue.underWay;
};

/** The flush is committed: its entries are settled. */
export const finishFlush = <E extends Entry>(queue: SettlementQueue<E>, flush: Flush<E>): readonly E[] => {
  assert(queue.underWay === flush, 'only the flush under way is finished');
  queue.underWay = null;
  return flush.entries;
};

/**
 * The flush met a data error, so all of it was rolled back. Two halves are tried next, each under a number of its own; an
 * entry that was alone is answered: the caller quarantines it.
 */
export const bisectFlush = <E extends Entry>(queue: SettlementQueue<E>, flush: Flush<E>): E | null => {
  assert(queue.underWay === flush, 'only the flush under way is bisected');
  queue.underWay = null;
  if (flush.entries.length === 1) return flush.entries[0]!;
  const middle = flush.entries.length >> 1;
  queue.bisected.unshift(flush.entries.slice(0, middle), flush.entries.slice(middle));
  return null;
};

export type FlushFailure = 'fenced' | 'data' | 'retry';

/**
 * Classifies the failure of a flush by its SQLSTATE. Without one the connection broke: the outcome is unknown, as for every
 * unlisted state, and executing the same flush again is right for all of these.
 *
 * A violated check without a constraint's name (null) is not a row's fault: the row was on its way to the default partition when
 * its partition was made, which the next execution finds.
 */
export const classifyFailure = (sqlState: string | undefined, constraint?: string | null): FlushFailure => {
  if (sqlState === 'KT001') return 'fenced';
  if (sqlState === 'KT002') return 'data';
  if (sqlState === '23514' && constraint === null) return 'retry';
  // 22 data exception, 23 integrity constraint violation, 21 cardinality, 54 program limit exceeded.
  return sqlState !== undefined && /^(21|22|23|54)/.test(sqlState) ? 'data' : 'retry';
};
