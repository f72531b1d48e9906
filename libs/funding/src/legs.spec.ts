import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allocateCharges, chooseLegs, type UnitRequest } from './legs.js';
import type { Hold, Lease } from './lease.js';

const leaseAt = (id: string, priority: number): Lease => ({
  id, grantId: `grant-${id}`, rank: { priority, expiresAtMs: null, promotional: false, effectiveAtMs: 0, createdAtMs: 0 }, models: null,
  slice: 1_000n, free: 0n, held: 0n, settled: 0n, usedAtMs: 0,
});

/** A hold by the amounts of its leases, each at a priority. */
const hold = (name: string, ...parts: [priority: number, amount: bigint][]): Hold => ({
  id: 'request-1',
  total: parts.reduce((sum, [, amount]) => sum + amount, 0n),
  parts: parts.map(([priority, amount]) => ({ lease: leaseAt(`${name}@${priority}`, priority), amount })),
});

const unit = (name: string, want: bigint, least = want, covers = true): UnitRequest => ({ unit: name, want, least, covers });

const shown = (requests: UnitRequest[], ...holds: Hold[]): string | null => {
  const chosen = chooseLegs(requests, holds);
  if (!chosen) return null;
  const { holding, spare } = chosen;
  const runs = holding.runs.map(({ of, amount }) => `${holding.units[of]!.unit} ${amount}`).join(', ');
  return spare.length === 0 ? runs : `${runs}; back: ${spare.map(({ unit: name }) => name).join(', ')}`;
};

describe('legs of a hold', () => {
  it('a pack before money that covers the worst case pays alone, and the money goes back', () => {
    expect(shown([unit('pack', 100n), unit('USD', 7n)], hold('pack', [1, 100n]), hold('USD', [2, 7n]))).toBe('pack 100; back: USD');
  });

  it('money before a pack pays alone, and the pack goes back', () => {
    expect(shown([unit('pack', 100n), unit('USD', 7n)], hold('pack', [2, 100n]), hold('USD', [1, 7n]))).toBe('USD 7; back: pack');
  });

  it("a pack's remainder is held beside the whole worst case in the unit after it", () => {
    expect(shown([unit('pack', 100n), unit('USD', 7n)], hold('pack', [1, 40n]), hold('USD', [2, 7n]))).toBe('pack 40, USD 7');
  });

  it('the burn order goes across units and back', () => {
    expect(shown([unit('pack', 100n), unit('USD', 7n)], hold('pack', [1, 10n], [3, 20n]), hold('USD', [2, 3n], [4, 4n]))).toBe('pack 10, USD 3, pack 20, USD 4');
    expect(shown([unit('pack', 100n), unit('USD', 7n)], hold('pack', [2, 40n]), hold('USD', [1, 3n], [3, 4n]))).toBe('USD 3, pack 40, USD 4');
  });

  it('grants that burn after the last run go back', () => {
    expect(shown([unit('pack', 100n), unit('USD', 7n)], hold('pack', [1, 10n], [3, 20n]), hold('USD', [2, 7n]))).toBe('pack 10, USD 7; back: pack');
  });

  it('a unit that covers only some classes is never the last', () => {
    expect(shown([unit('input-pack', 100n, 100n, false), unit('USD', 7n)], hold('input-pack', [1, 100n]), hold('USD', [2, 7n]))).toBe('input-pack 100, USD 7');
    expect(shown([unit('input-pack', 100n, 100n, false), unit('USD', 7n)], hold('input-pack', [1, 100n]), hold('USD', [2, 6n]))).toBeNull();
  });

  it('where no unit covers the worst case, a shorter answer is paid by the unit that covers it', () => {
    expect(shown([unit('pack', 100n, 50n), unit('USD', 7n, 4n)], hold('pack', [1, 60n]), hold('USD', [2, 3n]))).toBe('USD 3, pack 60');
    expect(shown([unit('pack', 100n, 50n), unit('USD', 7n, 4n)], hold('pack', [1, 60n]), hold('USD', [2, 5n]))).toBe('pack 60, USD 5');
    expect(shown([unit('pack', 100n, 50n), unit('USD', 7n, 4n)], hold('pack', [1, 40n]), hold('USD', [2, 3n]))).toBeNull();
  });

  it('a free model needs nothing of the money', () => {
    expect(shown([unit('pack', 100n), unit('USD', 0n)], hold('pack'), hold('USD'))).toBe('USD 0; back: pack');
  });

  it('a pack burns for a free model too: money that holds nothing has no place in the order', () => {
    expect(shown([unit('pack', 100n), unit('USD', 0n)], hold('pack', [2, 100n]), hold('USD'))).toBe('pack 100; back: USD');
    expect(shown([unit('pack', 100n), unit('USD', 0n)], hold('pack', [2, 40n]), hold('USD'))).toBe('pack 40, USD 0');
  });
});

describe('a holding over any units', () => {
  const anyHolds = fc.array(fc.record({ want: fc.nat(30), part: fc.nat(10), covers: fc.boolean(), parts: fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 12 })), { maxLength: 4 }) }), { minLength: 1, maxLength: 3 });

  it('the unit of the last run covers the request, runs are all that is held, and the rest goes back', () => {
    fc.assert(
      fc.property(anyHolds, (given) => {
        const holds = given.map(({ parts }, of) => hold(`unit-${of}`, ...parts.map(([priority, amount]) => [priority, BigInt(amount)] as [number, bigint])));
        const requests = given.map(({ want, part, covers }, of) => unit(`unit-${of}`, BigInt(want), BigInt(Math.min(want, Math.max(part, want > 0 ? 1 : 0))), covers));
        const able = requests.some(({ covers, least, want }, of) => covers && holds[of]!.total >= least && (holds[of]!.total > 0n || want === 0n));
        const chosen = chooseLegs(requests, holds);
        expect(chosen !== null).toBe(able);
        if (!chosen) return;
        const { holding, spare } = chosen;
        const last = holding.units[holding.runs.at(-1)!.of]!;
        const request = requests.find(({ unit: name }) => name === last.unit)!;
        expect(request.covers && last.hold.total >= request.least).toBe(true);
        requests.forEach(({ unit: name }, of) => {
          const parts = [...holding.units, ...spare].flatMap((part) => (part.unit === name ? part.hold.parts : []));
          expect(new Set(parts)).toEqual(new Set(holds[of]!.parts));
        });
        const charges = holding.units.map((_, of) => holding.runs.filter((run) => run.of === of).reduce((sum, { amount }) => sum + amount, 0n));
        expect(charges).toEqual(holding.units.map(({ hold: { total } }) => total));
        const allocated = allocateCharges(holding, charges).map((allocations) => allocations.reduce((sum, { amount }) => sum + amount, 0n));
        expect(allocated).toEqual(charges);
      }),
    );
  });
});
