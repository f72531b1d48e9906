import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBytesMeter } from './bytes-meter.js';

const KiB = 1024;
const owner = (apiKeyId: string, organizationId = 'organization') => ({ apiKeyId, organizationId });

describe('the meter of bytes in flight', () => {
  test('a key, an organization and everybody together get no more than their share', () => {
    const meter = createBytesMeter({ all: 800, perOrganization: 500, perKey: 300 });
    expect(meter.reserve(owner('a'), 300)).toBeNull();
    expect(meter.reserve(owner('a'), 1)).toBe('key');
    expect(meter.reserve(owner('b'), 200)).toBeNull();
    expect(meter.reserve(owner('b'), 1)).toBe('organization');
    expect(meter.reserve(owner('c', 'other'), 300)).toBeNull();
    expect(meter.reserve(owner('d', 'third'), 1)).toBe('all');
    meter.release(owner('a'), 300);
    expect(meter.reserve(owner('d', 'third'), 1)).toBeNull();
    expect([meter.inFlight, meter.inFlightMax]).toEqual([501, 800]);
  });

  test('large reservations leave room that small ones find', () => {
    const meter = createBytesMeter({ all: 400 * KiB, perOrganization: 400 * KiB, perKey: 400 * KiB });
    expect(meter.reserve(owner('a'), 300 * KiB)).toBeNull();
    expect(meter.reserve(owner('b'), 65 * KiB)).toBe('all');
    expect(meter.reserve(owner('b'), 64 * KiB)).toBeNull();
  });

  test('whatever is reserved and released in any order, nothing is in flight at the end and no share was exceeded', () => {
    const step = fc.record({ key: fc.integer({ min: 0, max: 5 }), bytes: fc.integer({ min: 0, max: 400 }), release: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const meter = createBytesMeter({ all: 1_000, perOrganization: 700, perKey: 400 });
        const held: { key: number; bytes: number }[] = [];
        const ownerOf = (key: number) => owner(`key ${key}`, `organization ${key % 2}`);
        for (const { key, bytes, release } of steps) {
          const oldest = release ? held.shift() : undefined;
          if (oldest) meter.release(ownerOf(oldest.key), oldest.bytes);
          else if (meter.reserve(ownerOf(key), bytes) === null) held.push({ key, bytes });
          const sum = (of: (entry: { key: number }) => boolean): number => held.filter(of).reduce((total, entry) => total + entry.bytes, 0);
          expect(meter.inFlight).toBe(sum(() => true));
          expect(meter.inFlight).toBeLessThanOrEqual(1_000);
          for (const side of [0, 1]) expect(sum((entry) => entry.key % 2 === side)).toBeLessThanOrEqual(700);
          for (let at = 0; at <= 5; at++) expect(sum((entry) => entry.key === at)).toBeLessThanOrEqual(400);
        }
        for (const { key, bytes } of held) meter.release(ownerOf(key), bytes);
        expect(meter.inFlight).toBe(0);
      }),
    );
  });
});
