import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { moneyRounding, parseMoney } from '@kilotoken/money';
import fc from 'fast-check';
import { allocateTokens, allocationSchema, sumOfAllocations } from './allocation.js';
import { noCharge, portionsOf, totalIn, type UnitPortion } from './charge.js';
import { chargeFields, portionSchema, readPortions, usageColumns, usageRowSchema } from './usage-row.js';

const usd = { unit: 'USD', burnTableId: null, rounding: moneyRounding, rates: new Map([['input' as const, { amount: parseMoney('0.5'), per: 1n }], ['output' as const, { amount: parseMoney('2'), per: 1n }]]) };
const pack = { unit: 'pack', burnTableId: '01990000-0000-7000-8000-000000000001', rounding: moneyRounding, rates: new Map([['input' as const, { amount: parseMoney('1'), per: 1n }], ['output' as const, { amount: parseMoney('4'), per: 1n }]]) };
const held = [{ ...pack, hold: parseMoney('10') }, { ...usd, hold: parseMoney('100') }];

describe('the fields of a charge in its row', () => {
  it('of one currency is that alone, and no portions', () => {
    const portions = portionsOf({ input: 4 }, [{ ...usd, hold: parseMoney('100') }]);
    expect(chargeFields({ portions }, 'USD')).toEqual({ unit: 'USD', hold: '100', rated: '2', charge: '2' });
  });

  it('over a pack and money has every portion, and the money in its own fields', () => {
    const fields = chargeFields({ portions: portionsOf({ input: 4, output: 3 }, held) }, 'USD');
    expect(fields).toEqual({
      unit: 'USD', hold: '100', rated: '4', charge: '4',
      portions: [
        { unit: 'pack', burn_table: pack.burnTableId, counts: { input: 4, output: 1 }, hold: '10', rated: '8', charge: '8' },
        { unit: 'USD', burn_table: null, counts: { output: 2 }, hold: '100', rated: '4', charge: '4' },
      ],
    });
  });

  it('of a pack alone is nothing in the currency', () => {
    expect(chargeFields({ portions: portionsOf({ input: 4 }, [held[0]!]) }, 'USD')).toMatchObject({ unit: 'USD', hold: '0', rated: '0', charge: '0', portions: [{ unit: 'pack', charge: '4' }] });
  });

  it('is read back as it was written', () => {
    const portions = portionsOf({ input: 4, output: 3 }, held);
    expect(readPortions(JSON.stringify(chargeFields({ portions }, 'USD').portions))).toEqual(portions);
  });

  it.each(['[]', '{}', '[{"unit":"pack"}]', '[{"unit":"pack","burn_table":null,"tokens":1,"hold":"1","rated":"-1","charge":"1"}]'])('%s is no portions', (json) => expect(readPortions(json)).toBeNull());
});

describe('the total of a unit', () => {
  it('is the sum of its portions, and nothing for a unit that did not pay', () => {
    const portion = (unit: string, charge: bigint): UnitPortion => ({ unit, burnTableId: null, counts: { input: 1 }, hold: charge, rated: charge, charge });
    expect(totalIn([portion('USD', 1n), portion('pack', 5n), portion('USD', 2n)], 'USD')).toEqual({ tokens: 2, hold: 3n, rated: 3n, charge: 3n });
    expect(totalIn(noCharge.portions, 'USD').charge).toBe(0n);
  });
});

describe('allocations', () => {
  it('share out whole tokens, all of them, in proportion to their amounts', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(1n, 10n ** 20n), { minLength: 1, maxLength: 6 }), fc.nat(1_000_000), (amounts, tokens) => {
        const charge = amounts.reduce((sum, amount) => sum + amount, 0n);
        const payments = amounts.map((amount, index) => ({ leaseId: `lease-${index}`, grantId: `grant-${index}`, amount }));
        const allocations = allocateTokens('USD', payments, charge, tokens);
        expect(sumOfAllocations(allocations, 'USD')).toBe(charge);
        expect(allocations.reduce((sum, allocation) => sum + allocation.tokens!, 0)).toBe(tokens);
        expect(allocations.every((allocation) => Number.isSafeInteger(allocation.tokens) && allocation.tokens! >= 0)).toBe(true);
      }),
    );
  });
});

describe('the one description of a usage row', () => {
  const write = readFileSync(new URL('../../../prisma/functions/metering/usage_write.sql', import.meta.url), 'utf8');

  it('names every field that usage_write reads, and no other', () => {
    const declared = /json_to_recordset\(p_rows\) AS r\(([^)]+)\)/.exec(write)![1]!.split(',').map((field) => field.trim().split(' ')[0]!.replaceAll('"', ''));
    expect(declared.sort()).toEqual(Object.keys(usageRowSchema.shape).sort());
  });

  it('names every column that usage_write fills, but for those of the database', () => {
    const columns = /INSERT INTO usage \(([^)]+)\)/.exec(write)![1]!.split(',').map((column) => column.trim());
    expect(columns.filter((column) => !['session_id', 'flush', 'shard', 'settled_at'].includes(column)).sort()).toEqual(Object.values(usageColumns).sort());
  });

  it('has exact amounts alone where money is', () => {
    expect(allocationSchema.shape.amount.safeParse('1e3').success).toBe(false);
    expect(portionSchema.shape.charge.safeParse('0.0000000000001').success).toBe(false);
  });
});
