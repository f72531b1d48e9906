import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { costOf, tiered, type StepRow } from './worked-example.js';

/** The worked examples that the specs of the shapes restate, read from their file where there is one. */
interface Example {
  readonly id: string;
  readonly model: string;
  readonly params: {
    readonly tiers?: readonly (readonly (string | number | null)[])[];
    readonly rate?: string;
    readonly size?: number;
    readonly price?: string;
    readonly free?: number;
    readonly first_flat_at_zero?: boolean;
    readonly max_spend?: string;
    readonly min_spend?: string;
    readonly divide_ceil?: number;
    readonly base?: string;
    readonly round?: number;
  };
  readonly quantity: string;
  readonly expected: string;
}

const path = join(process.env['KILOTOKEN_FIXTURES'] ?? '/nonexistent', 'pricing-models.json');
const examples = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Example[]) : [];

const priceOf = ({ model, params }: Example): object => {
  const rows = (params.tiers ?? []).map((row) => row.map((value) => (value === null ? null : String(value))));
  switch (model) {
    case 'unit':
      return { price: { amount: params.rate } };
    case 'package':
      return { price: { package: String(params.size), amount: params.price, free: String(params.free ?? 0) } };
    case 'kb_block_all':
    case 'kb_block_top':
      // A book's last step is open.
      return { price: { blocks: model === 'kb_block_all' ? 'all' : 'top', steps: rows.map(([size, blocks, amount], index) => ({ size, ...(index === rows.length - 1 ? {} : { blocks }), amount })) } };
    default:
      return tiered(model as 'graduated' | 'volume', rows as unknown as StepRow[]);
  }
};

const modifiersOf = ({ first_flat_at_zero, max_spend, min_spend, divide_ceil, base, round }: Example['params']): object => ({
  ...(first_flat_at_zero ? { flat_at_zero: true } : {}),
  ...(max_spend === undefined ? {} : { maximum: max_spend }),
  ...(min_spend === undefined ? {} : { minimum: min_spend }),
  ...(divide_ceil === undefined ? {} : { quantity: { divide: String(divide_ceil), round: 'up' } }),
  ...(base === undefined ? {} : { base }),
  ...(round === undefined ? {} : { round: { decimals: String(round), mode: 'half_up' } }),
});

(examples.length > 0 ? describe : describe.skip)('the worked examples of other billing systems', () => {
  it('are all 66', () => expect(examples).toHaveLength(66));

  it.each(examples.map((example) => [example.id, example] as const))('%s costs what its source says', (_, example) => {
    expect(costOf({ ...priceOf(example), ...modifiersOf(example.params) }, example.quantity)).toBe(example.expected);
  });
});
