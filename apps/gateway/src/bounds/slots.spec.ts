import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createSlots } from './slots.js';

describe('slots', () => {
  it('what was added is found at its place, and nothing else, until it is removed', () => {
    // True: add the next number; a number: remove the item that was added as the nth of those still there.
    const step = fc.oneof(fc.constant(true as const), fc.nat({ max: 20 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const slots = createSlots<number>();
        const here = new Map<number, number>();
        for (const [item, what] of steps.entries()) {
          if (what === true) here.set(item, slots.add(item));
          else {
            const [leaving] = [...here.keys()].slice(what);
            if (leaving === undefined) continue;
            slots.remove(here.get(leaving)!);
            expect(slots.at(here.get(leaving)!)).toBeNull();
            here.delete(leaving);
          }
          expect(slots.size()).toBe(here.size);
          for (const [known, slot] of here) expect(slots.at(slot)).toBe(known);
          expect(slots.values().sort()).toEqual([...here.keys()].sort());
        }
      }),
    );
  });

  it('a place is used again, so that they are never more than were taken at once', () => {
    const slots = createSlots<string>();
    const places = new Set<number>();
    for (let pass = 0; pass < 1_000; pass += 1) {
      const [first, second] = [slots.add('first'), slots.add('second')];
      places.add(first).add(second);
      slots.remove(first);
      slots.remove(second);
    }
    expect(places.size).toBe(2);
  });

  it('removing twice frees one place', () => {
    const slots = createSlots<string>();
    const slot = slots.add('once');
    slots.remove(slot);
    slots.remove(slot);
    expect([slots.add('a'), slots.add('b')].sort()).toEqual([0, 1]);
    expect(slots.size()).toBe(2);
  });
});
