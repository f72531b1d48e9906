import { describe, expect, it } from '@jest/globals';
import { countRead, createReadRates, createReadTurns, inTurn, type ReadLimits } from './read-limits.js';

const limits: ReadLimits = { perSecond: 10, burst: 5, keysMax: 3, runningMax: 2, waitingMax: 3 };

describe('reads of a key', () => {
  it('are admitted up to the burst, then at the rate, and say when the next one is', () => {
    const rates = createReadRates(limits);
    expect(Array.from({ length: 7 }, () => countRead(rates, 'a', 0))).toEqual([0, 0, 0, 0, 0, 100, 100]);
    expect([countRead(rates, 'a', 99), countRead(rates, 'a', 100), countRead(rates, 'a', 100)]).toEqual([1, 0, 100]);
    expect(Array.from({ length: 6 }, () => countRead(rates, 'a', 3_600_000))).toEqual([0, 0, 0, 0, 0, 100]);
  });

  it('take nothing from another key', () => {
    const rates = createReadRates(limits);
    for (let read = 0; read < 1_000; read += 1) countRead(rates, 'a', 0);
    expect(countRead(rates, 'b', 0)).toBe(0);
  });

  it('of ever new keys take bounded memory', () => {
    const rates = createReadRates(limits);
    for (let key = 0; key < 1_000; key += 1) countRead(rates, `key-${key}`, 0);
    expect(rates.wholeAtMs.size).toBe(limits.keysMax);
  });
});

describe('reads of an organization', () => {
  const gate = (): { open: () => void; opened: Promise<void> } => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    return { open, opened };
  };

  it('run a few at a time, in their order, and others wait up to a bound', async () => {
    const turns = createReadTurns(limits);
    const gates = Array.from({ length: 5 }, gate);
    const begun: number[] = [];
    const reads = gates.map(({ opened }, index) => inTurn(turns, 'a', () => (begun.push(index), opened)));
    expect(reads.includes(null)).toBe(false);
    expect(inTurn(turns, 'a', async () => undefined)).toBeNull();
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1]);
    gates[1]!.open();
    await reads[1];
    expect(begun).toEqual([0, 1, 2]);
    for (const { open } of gates) open();
    await Promise.all(reads.map(async (read) => read));
    expect([begun, turns.organizations.size]).toEqual([[0, 1, 2, 3, 4], 0]);
  });

  it('never wait for those of another', async () => {
    const turns = createReadTurns(limits);
    const { open, opened } = gate();
    const held = Array.from({ length: 5 }, async () => inTurn(turns, 'a', () => opened));
    expect(await inTurn(turns, 'b', async () => 'at once')).toBe('at once');
    open();
    await Promise.all(held);
  });

  it('that fail give their turn back', async () => {
    const turns = createReadTurns(limits);
    for (let read = 0; read < 10; read += 1) await expect(inTurn(turns, 'a', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(turns.organizations.size).toBe(0);
  });
});
