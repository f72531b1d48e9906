import { describe, expect, it } from '@jest/globals';
import { foldUndeclared } from './pricing.js';
import { completionTokens, promptTokens, type TokenClass } from '@kilotoken/contracts';
import { formatMoney, moneyRounding, parseMoney } from '@kilotoken/money';
import fc from 'fast-check';
import { burnTableAt, packUnitPattern, packWorstCaseOf, type BurnTable } from './pack.js';
import { ratePortions } from './portions.js';
import type { Rate } from './price.js';

const weights = (table: Partial<Record<TokenClass, string | null>>): Map<TokenClass, Rate> =>
  new Map(Object.entries(table).map(([name, amount]) => [name as TokenClass, { amount: amount === null ? null : parseMoney(amount!), per: 1n }]));
const table = (id: string, modelId: string | null, effectiveAtMs: number, rates = weights({ input: '1', output: '4' })): BurnTable => ({ id, unit: 'qwen-pack', modelId, effectiveAtMs, rates, rounding: moneyRounding });

describe('burn tables', () => {
  const tables = [table('later', 'qwen', 300), table('own', 'qwen', 200), table('general', null, 150), table('old', 'qwen', 100)];

  it.each([
    ['qwen', 300, 'later'],
    ['qwen', 299, 'own'],
    ['qwen', 120, 'old'],
    ['other', 299, 'general'],
    ['other', 149, undefined],
    ['qwen', 99, undefined],
  ])('%s at %s burns by the table %s', (modelId, atMs, id) => expect(burnTableAt(tables, modelId, atMs)?.id).toBe(id));

  it.each([['qwen-pack', true], ['USD', false], ['usd', true], ['x', false], ['Qwen', false], ['1k', false]])('the name %s is a pack unit: %s', (name, expected) => expect(packUnitPattern.test(name)).toBe(expected));
});

describe("a pack's worst case", () => {
  it('covers the dearest class of each side', () => {
    const { worst, covers } = packWorstCaseOf(['cached_read'], table('t', null, 0, weights({ input: '1', cached_read: '0.1', output: '4' })));
    expect([covers, formatMoney(worst.hold(10n, 5n))]).toEqual([true, '30']);
  });

  it('leaves out classes outside its scope, and then cannot pay the end of a request', () => {
    const { worst, covers } = packWorstCaseOf(['input', 'output'], table('t', null, 0, weights({ input: '1', output: null })));
    expect([covers, formatMoney(worst.hold(10n, 5n))]).toEqual([false, '10']);
    expect(packWorstCaseOf([], table('t', null, 0, weights({ reasoning: '1' }))).covers).toBe(false);
  });

  it('is never below what the pack is rated for', () => {
    const anyWeight = fc.option(fc.bigInt(0n, 10n ** 13n), { nil: null });
    const anyTable = fc.record({ input: anyWeight, cached_read: anyWeight, output: anyWeight, reasoning: anyWeight });
    const anyCounts = fc.record({ input: fc.nat(9_000), cached_read: fc.nat(9_000), output: fc.nat(9_000), reasoning: fc.nat(900) });
    fc.assert(
      fc.property(anyTable, anyCounts, fc.constantFrom(1n, 7n, 1000n), fc.integer({ min: 0, max: 12 }), (amounts, mix, per, decimals) => {
        const rates = new Map(Object.entries(amounts).map(([name, amount]) => [name as TokenClass, { amount, per }]));
        const burn = { ...table('t', null, 0, rates), rounding: { decimals, mode: 'up' as const } };
        const declared = [...rates.keys()];
        const { counts } = foldUndeclared(mix, new Set(declared));
        const { worst, covers } = packWorstCaseOf(declared, burn);
        const hold = worst.hold(BigInt(promptTokens(counts)), BigInt(completionTokens(counts)));
        const rest = { rates: new Map<TokenClass, Rate>([['input', { amount: 0n, per: 1n }], ['output', { amount: 0n, per: 1n }]]), rounding: moneyRounding, hold: 0n };
        const [pack, money] = ratePortions(counts, [{ rates, rounding: burn.rounding, hold }, rest]);
        expect(pack!.rated <= hold).toBe(true);
        if (covers) expect(money!.lines).toEqual([]);
      }),
    );
  });
});
