import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bisectFlush, classifyFailure, createSettlementQueue, finishFlush, startFlush, unsettled, type Flush, type SettlementQueue } from './settlement.js';

interface Row {
  readonly json: string;
  readonly isPoison: boolean;
}

const row = (json: string, isPoison = false): Row => ({ json, isPoison });
const queueOf = (rows: readonly Row[], limits = { entriesMax: 100, bytesMax: 1_000_000 }): SettlementQueue<Row> => {
  const queue = createSettlementQueue<Row>(limits);
  queue.pending.push(...rows);
  return queue;
};
const names = (flush: Flush<Row> | null): string[] | undefined => flush?.entries.map(({ json }) => json);

describe('a flush', () => {
  it('takes what is pending, in its order', () => {
    expect(names(startFlush(queueOf([row('a'), row('b'), row('c')])))).toEqual(['a', 'b', 'c']);
  });

  it('is not started where nothing is pending', () => {
    const queue = queueOf([]);
    expect(startFlush(queue)).toBeNull();
    expect(queue.lastNumber).toBe(0n);
  });

  it('is the only one under way: what comes meanwhile goes with the next, under the next number', () => {
    const queue = queueOf([row('a')]);
    const first = startFlush(queue)!;
    queue.pending.push(row('b'));
    expect(startFlush(queue)).toBeNull();
    expect(unsettled(queue)).toBe(2);
    expect(finishFlush(queue, first)).toEqual([row('a')]);
    expect(startFlush(queue)).toEqual({ number: 2n, entries: [row('b')] });
    expect(unsettled(queue)).toBe(1);
  });

  it('keeps its number and its entries while its outcome is unknown', () => {
    const queue = queueOf([row('a')]);
    const flush = startFlush(queue)!;
    queue.pending.push(row('b'));
    expect(queue.underWay).toBe(flush);
    expect(flush).toEqual({ number: 1n, entries: [row('a')] });
  });

  it('holds at most entriesMax entries', () => {
    const queue = queueOf([row('a'), row('b'), row('c')], { entriesMax: 2, bytesMax: 100 });
    expect(names(startFlush(queue))).toEqual(['a', 'b']);
  });

  it('holds at most bytesMax bytes', () => {
    expect(names(startFlush(queueOf([row('aaaa'), row('bbbb'), row('c')], { entriesMax: 9, bytesMax: 8 })))).toEqual(['aaaa', 'bbbb']);
    expect(names(startFlush(queueOf([row('aaaa'), row('bbbbb'), row('c')], { entriesMax: 9, bytesMax: 8 })))).toEqual(['aaaa']);
  });

  it('takes one entry that is larger than a flush alone', () => {
    const queue = queueOf([row('a'.repeat(50)), row('b')], { entriesMax: 9, bytesMax: 8 });
    expect(startFlush(queue)!.entries).toHaveLength(1);
  });

  it.each([
    ['finished', finishFlush],
    ['bisected', bisectFlush],
  ])('that is not under way is never %s', (_name, act) => {
    const queue = queueOf([row('a')]);
    const flush = startFlush(queue)!;
    expect(() => act(queue, { ...flush })).toThrow('only the flush under way');
    act(queue, flush);
    expect(() => act(queue, flush)).toThrow('only the flush under way');
  });
});

describe('a flush that met a data error', () => {
  it('is tried again as two halves, each under a number of its own, before what came later', () => {
    const queue = queueOf([row('a'), row('b'), row('c')]);
    expect(bisectFlush(queue, startFlush(queue)!)).toBeNull();
    queue.pending.push(row('d'));
    expect(unsettled(queue)).toBe(4);
    const first = startFlush(queue)!;
    expect(first).toEqual({ number: 2n, entries: [row('a')] });
    finishFlush(queue, first);
    const second = startFlush(queue)!;
    expect(second).toEqual({ number: 3n, entries: [row('b'), row('c')] });
    finishFlush(queue, second);
    expect(names(startFlush(queue))).toEqual(['d']);
  });

  it('answers the entry that was alone', () => {
    const queue = queueOf([row('a')]);
    expect(bisectFlush(queue, startFlush(queue)!)).toEqual(row('a'));
    expect(unsettled(queue)).toBe(0);
  });

  /** Runs a queue to its end as the service does, against a database that refuses every flush with poison in it. */
  const runToEnd = (queue: SettlementQueue<Row>): { committed: string[]; poison: string[]; flushes: Flush<Row>[] } => {
    const committed: string[] = [];
    const poison: string[] = [];
    const flushes: Flush<Row>[] = [];
    for (let flush = startFlush(queue); flush; flush = startFlush(queue)) {
      flushes.push(flush);
      if (flush.entries.some(({ isPoison }) => isPoison)) {
        const alone = bisectFlush(queue, flush);
        if (alone) poison.push(alone.json);
      } else committed.push(...finishFlush(queue, flush).map(({ json }) => json));
    }
    return { committed, poison, flushes };
  };

  it('commits every other entry once and in order, finds each poison, and never repeats a number', () => {
    const rows = fc.array(fc.boolean(), { maxLength: 60 }).map((marks) => marks.map((isPoison, index) => row(`row ${String(index).padStart(2, '0')}`, isPoison)));
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 }), (all, entriesMax, bytesMax) => {
        const queue = queueOf(all, { entriesMax, bytesMax });
        const { committed, poison, flushes } = runToEnd(queue);
        expect(committed).toEqual(all.filter(({ isPoison }) => !isPoison).map(({ json }) => json));
        expect(poison).toEqual(all.filter(({ isPoison }) => isPoison).map(({ json }) => json));
        expect(flushes.map(({ number }) => number)).toEqual(flushes.map((_, index) => BigInt(index + 1)));
        for (const { entries } of flushes) {
          expect(entries.length).toBeLessThanOrEqual(entriesMax);
          if (entries.length > 1) expect(entries.reduce((bytes, { json }) => bytes + json.length, 0)).toBeLessThanOrEqual(bytesMax);
        }
        expect(unsettled(queue)).toBe(0);
      }),
    );
  });

  it('is isolated in a logarithmic number of flushes', () => {
    const rows = Array.from({ length: 512 }, (_, index) => row(String(index), index === 300));
    expect(runToEnd(queueOf(rows, { entriesMax: 512, bytesMax: 1_000_000 })).flushes.length).toBeLessThanOrEqual(2 * Math.log2(512) + 1);
  });
});

describe('what a failure means', () => {
  it.each<[string | undefined, string, string]>([
    // SQLSTATEs: https://www.postgresql.org/docs/18/errcodes-appendix.html
    ['KT001', 'fenced', 'the session was reaped'],
    ['KT002', 'data', 'a usage row exists with other contents'],
    ['22003', 'data', 'numeric value out of range'],
    ['22P02', 'data', 'invalid text representation'],
    ['22P05', 'data', 'untranslatable character: NUL in JSON'],
    ['21000', 'data', 'cardinality violation'],
    ['23502', 'data', 'not-null violation'],
    ['23505', 'data', 'unique violation'],
    ['23514', 'data', 'check violation'],
    ['54000', 'data', 'program limit exceeded'],
    ['40001', 'retry', 'serialization failure'],
    ['40P01', 'retry', 'deadlock'],
    ['53100', 'retry', 'disk full'],
    ['53300', 'retry', 'too many connections'],
    ['55P03', 'retry', 'lock not available'],
    ['57014', 'retry', 'statement timeout'],
    ['57P01', 'retry', 'administrator shutdown'],
    ['57P03', 'retry', 'cannot connect now'],
    ['08006', 'retry', 'connection failure'],
    ['25006', 'retry', 'read-only transaction: a standby'],
    ['58030', 'retry', 'I/O error'],
    ['XX000', 'retry', 'internal error'],
    ['42883', 'retry', 'undefined function: a migration is under way'],
    ['KT999', 'retry', 'a state of ours that is not known here'],
    ['', 'retry', 'an empty state'],
    [undefined, 'retry', 'a broken connection'],
  ])('%s is %s: %s', (sqlState, failure, _meaning) => {
    expect(classifyFailure(sqlState)).toBe(failure);
  });

  it("a violated check is the row's fault by the name of its constraint; without one a partition was made meanwhile", () => {
    expect([classifyFailure('23514', 'never_above_the_hold'), classifyFailure('23514', null), classifyFailure('23000', null)]).toEqual(['data', 'retry', 'data']);
  });
});
