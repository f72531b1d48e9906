import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createDeadlines, type Deadlines } from './deadlines.js';

describe('a deadline', () => {
  let nowMs = 0;
  let deadlines: Deadlines;
  const expired: string[] = [];
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 1) {
      nowMs += 1;
      jest.advanceTimersByTime(1);
    }
  };

  beforeEach(() => {
    jest.useFakeTimers();
    nowMs = 1_000;
    expired.length = 0;
    deadlines = createDeadlines(() => nowMs);
  });
  afterEach(() => {
    deadlines.stop();
    jest.useRealTimers();
  });

  it('is noticed once, not before it is reached and within a tick', () => {
    deadlines.add(120, () => expired.push('first'));
    deadlines.add(300, () => expired.push('second'));
    pass(119);
    expect(expired).toEqual([]);
    pass(51);
    expect(expired).toEqual(['first']);
    pass(1_000);
    expect(expired).toEqual(['first', 'second']);
  });

  it('that is called off is not noticed, and calling it off again leaves the one that took its place', () => {
    const callOff = deadlines.add(100, () => expired.push('called off'));
    callOff();
    deadlines.add(100, () => expired.push('kept'));
    callOff();
    pass(200);
    expect(expired).toEqual(['kept']);
  });

  it('may call off others and add more while it is noticed', () => {
    const callOff: (() => void)[] = [];
    deadlines.add(10, () => {
      expired.push('first');
      callOff.forEach((call) => call());
      deadlines.add(0, () => expired.push('third'));
    });
    callOff.push(deadlines.add(10, () => expired.push('second')));
    pass(60);
    expect(expired).toEqual(['first']);
    pass(60);
    expect(expired).toEqual(['first', 'third']);
  });
});
