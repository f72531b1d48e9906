import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createDispatchQueue, type DispatchLimits } from './dispatch.js';

const limits: DispatchLimits = { sequencesMax: 4, kvTokensMax: 400, waitingSequencesMax: 3, waitingTokensMax: 300 };
const unit = (sequences = 1, kvTokens = 100) => ({ sequences, kvTokens });
type TestUnit = ReturnType<typeof unit>;

describe('what enters the batch', () => {
  it('is what came first, until the sequences are taken', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    const units = [unit(2, 10), unit(2, 10), unit(1, 10)];
    units.forEach((one) => expect(queue.admit([one])).toEqual({ admitted: true }));
    expect(queue.start()).toEqual(units.slice(0, 2));
    expect(queue.start()).toEqual([]);
    queue.end(units[0]!);
    expect(queue.start()).toEqual([units[2]]);
  });

  it('is bounded by what may come to fill the KV cache, though places are free', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    const units = [unit(1, 300), unit(1, 200)];
    queue.admit(units);
    expect(queue.start()).toEqual([units[0]]);
    queue.end(units[0]!);
    expect(queue.start()).toEqual([units[1]]);
  });

  it('does not overtake a head that does not fit, or large requests would starve', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    const [running, large, small] = [unit(2, 100), unit(3, 100), unit(1, 10)];
    queue.admit([running, large, small]);
    expect(queue.start()).toEqual([running]);
    queue.end(running);
    expect(queue.start()).toEqual([large, small]);
  });
});

describe('what waits', () => {
  it('is refused as full beyond the bound, and taken again when something ended', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    const units = Array.from({ length: 7 }, () => unit(1, 10));
    queue.admit(units);
    expect(queue.admit([unit(1, 10)])).toEqual({ admitted: false, reason: 'queue_full' });
    queue.start();
    expect(queue.admit([unit(1, 10)])).toEqual({ admitted: false, reason: 'queue_full' });
    queue.end(units[0]!);
    expect(queue.admit([unit(1, 10)])).toEqual({ admitted: true });
  });

  it('is bounded by tokens as well', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    queue.admit([unit(1, 400), unit(1, 300)]);
    expect(queue.admit([unit(1, 1)])).toEqual({ admitted: false, reason: 'queue_full' });
  });

  it('is taken whole or not at all', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    queue.admit(Array.from({ length: 5 }, () => unit(1, 10)));
    const before = queue.state();
    expect(queue.admit([unit(1, 10), unit(1, 10), unit(1, 10)])).toEqual({ admitted: false, reason: 'queue_full' });
    expect(queue.state()).toEqual(before);
  });

  it.each([
    ['more sequences than there are places', [unit(5, 10)]],
    ['more cache than there is', [unit(1, 401)]],
    ['more units than queue and batch together hold', Array.from({ length: 8 }, () => unit(1, 1))],
  ])('%s never fits, which waiting does not mend', (_name, units) => {
    expect(createDispatchQueue<TestUnit>(limits).admit(units)).toEqual({ admitted: false, reason: 'too_large' });
  });
});

describe('an end', () => {
  it('frees once, wherever the unit was', () => {
    const queue = createDispatchQueue<TestUnit>(limits);
    const [running, waiting] = [unit(4, 400), unit(1, 50)];
    queue.admit([running, waiting]);
    queue.start();
    expect([queue.end(waiting), queue.end(waiting), queue.end(running), queue.end(running)]).toEqual([true, false, true, false]);
    expect(queue.state()).toEqual({ runningSequences: 0, runningKvTokens: 0, waitingSequences: 0, waitingTokens: 0 });
  });
});

type Step = { admit: { sequences: number; kvTokens: number }[] } | { end: number } | 'start';

describe('whatever is admitted, started and ended in whatever order', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ admit: fc.array(fc.record({ sequences: fc.integer({ min: 1, max: 5 }), kvTokens: fc.integer({ min: 0, max: 450 }) }), { minLength: 1, maxLength: 4 }) }),
      fc.record({ end: fc.nat() }),
      fc.constant('start' as const),
    ),
    { maxLength: 60 },
  );

  const play = (played: Step[]) => {
    const queue = createDispatchQueue<TestUnit>(limits);
    const admitted: TestUnit[] = [];
    const started: TestUnit[] = [];
    const alive = new Set<TestUnit>();
    for (const step of played) {
      if (step === 'start') started.push(...queue.start());
      else if ('admit' in step) {
        if (!queue.admit(step.admit).admitted) continue;
        admitted.push(...step.admit);
        step.admit.forEach((one) => alive.add(one));
      } else if (alive.size > 0) {
        const one = [...alive][step.end % alive.size]!;
        expect(queue.end(one)).toBe(true);
        alive.delete(one);
      }
      const { runningSequences, runningKvTokens, waitingSequences, waitingTokens } = queue.state();
      expect(runningSequences).toBeLessThanOrEqual(limits.sequencesMax);
      expect(runningKvTokens).toBeLessThanOrEqual(limits.kvTokensMax);
      expect(runningSequences + waitingSequences).toBeLessThanOrEqual(limits.sequencesMax + limits.waitingSequencesMax);
      expect(runningKvTokens + waitingTokens).toBeLessThanOrEqual(limits.kvTokensMax + limits.waitingTokensMax);
      const sum = (field: keyof TestUnit) => [...alive].reduce((total, one) => total + one[field], 0);
      expect(runningSequences + waitingSequences).toBe(sum('sequences'));
      expect(runningKvTokens + waitingTokens).toBe(sum('kvTokens'));
    }
    return { queue, admitted, started, alive };
  };

  it('no bound is ever broken, and nothing is lost', () => {
    fc.assert(fc.property(steps, (played) => void play(played)), { numRuns: 500 });
  });

  it('units start in the order in which they were admitted', () => {
    fc.assert(
      fc.property(steps, (played) => {
        const { admitted, started } = play(played);
        const places = started.map((one) => admitted.indexOf(one));
        expect(places).toEqual([...places].sort((one, other) => one - other));
      }),
      { numRuns: 500 },
    );
  });

  it('all that is alive gets its turn when what runs ends', () => {
    fc.assert(
      fc.property(steps, (played) => {
        const { queue, alive, started } = play(played);
        const begun = new Set(started);
        for (let turn = 0; alive.size > 0; turn++) {
          expect(turn).toBeLessThan(100);
          queue.start().forEach((one) => begun.add(one));
          const running = [...alive].find((one) => begun.has(one));
          expect(running).toBeDefined();
          queue.end(running!);
          alive.delete(running!);
        }
        expect(queue.state().waitingSequences).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
