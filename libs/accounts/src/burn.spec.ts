import { describe, expect, it } from '@jest/globals';
import { parseMoney } from '@kilotoken/money';
import { burnPerDay, runsOutAt, type SpendableGrant } from './burn.js';

const now = new Date('2026-11-28T08:00:00Z');
const after = (days: number): Date => new Date(now.getTime() + days * 86_400_000);
const grant = (available: string, expiresInDays: number | null = null, fromInDays = -1): SpendableGrant => ({
  available: parseMoney(available),
  effectiveAt: after(fromInDays),
  expiresAt: expiresInDays === null ? null : after(expiresInDays),
});
const daysLeft = (grants: SpendableGrant[], burn: string): number | null => {
  const at = runsOutAt(grants, parseMoney(burn), now);
  return at && (at.getTime() - now.getTime()) / 86_400_000;
};

describe('burn per day', () => {
  it.each([
    ['is a seventh of seven days', '7', after(-30), '1'],
    ['is exact to the last decimal, half-even', '1', after(-7), '0.142857142857'],
    ['of an organization that began two days ago is half', '7', after(-2), '3.5'],
    ['of one that began within a day is all of it', '7', after(-0.1), '7'],
  ])('%s', (_name, used, firstUseAt, expected) => {
    expect(burnPerDay(parseMoney(used), firstUseAt, now)).toBe(parseMoney(expected));
  });

  it('without use is nothing', () => expect(burnPerDay(0n, null, now)).toBe(0n));
});

describe('the day it runs out', () => {
  it.each<[string, SpendableGrant[], string, number | null]>([
    ['is what is left by the burn', [grant('2')], '1', 2],
    ['adds grants up', [grant('2'), grant('0.5')], '1', 2.5],
    ['counts what ends before it is used only until then', [grant('2', 1), grant('0.5')], '1', 1.5],
    ['is now where nothing is left', [grant('0')], '1', 0],
    ['is never without burn', [grant('2')], '0', null],
    ['is told up to ten years ahead', [grant('3649')], '1', 3649],
    ['is not told more than ten years ahead', [grant('3651')], '1', null],
    ['counts a grant that begins before the others are used', [grant('2'), grant('1', null, 1)], '1', 3],
    ['counts no grant that begins later', [grant('2'), grant('1', null, 2.5)], '1', 2],
    ['lets a grant that is ahead go on as soon as it begins', [grant('1', 2, 1), grant('2')], '1', 3],
    ['loses of a grant that ends what another one was used for meanwhile', [grant('2'), grant('5', 2)], '1', 2],
  ])('%s', (_name, grants, burn, expected) => expect(daysLeft(grants, burn)).toBe(expected));
});
