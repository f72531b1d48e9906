import { describe, expect, test } from '@jest/globals';
import { formatMistake } from './mistakes.js';
import { readPriceBook } from './read-book.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const head = 'book: list\ncurrency: USD\n';
const mistakesIn = (text: string): string[] => readPriceBook(bytes(text)).mistakes.map((mistake) => formatMistake('b', mistake));
const warningsIn = (text: string): string[] => readPriceBook(bytes(text)).warnings.map((mistake) => formatMistake('b', mistake));
const rate = (price: string): string => `${head}rates:\n  - { models: [m], classes: [image], per: 1, price: ${price} }\n`;
const banded = (...contexts: string[]): string => `${head}rates:\n${contexts.map((context) => `  - { models: [m], per: 1, ${context === '' ? '' : `when: { context: { ${context} } }, `}prices: { input: 1, output: 2 } }\n`).join('')}`;

describe('a file of a price book', () => {
  test('keeps every digit of a number that stands without quotes', () => {
    const { book } = readPriceBook(bytes(rate('0.100000000001')));
    expect(book?.rates[0]?.price).toEqual({ amount: '0.100000000001' });
    expect(readPriceBook(bytes('{"book": "b", "currency": "USD", "rates": [{"models": "*", "classes": ["image"], "per": 1, "price": 12345678901234567890.10}]}')).book?.rates[0]?.price).toEqual({ amount: '12345678901234567890.10' });
  });

  test('may have a byte order mark, or be UTF-16 with one', () => {
    const text = rate('1');
    expect(readPriceBook(bytes(`\ufeff${text}`)).mistakes).toEqual([]);
    expect(readPriceBook(Buffer.from(`\ufeff${text}`, 'utf16le')).mistakes).toEqual([]);
    expect(readPriceBook(Buffer.from(`\ufeff${text}`, 'utf16le').swap16()).mistakes).toEqual([]);
  });

  test.each([
    ['UTF-16 without a byte order mark', Buffer.from(rate('1'), 'utf16le'), 'Save it as UTF-8'],
    ['bytes that are no UTF-8', Buffer.from([0x62, 0x3a, 0xff]), 'not valid UTF-8'],
    ['an empty file', bytes(' \n'), 'is empty'],
    ['a list', bytes('[1]'), 'must be keys with values'],
    ['a key that stands twice', bytes('book: a\ncurrency: USD\nbook: b\n'), '3:1: this key stands twice'],
    ['an unbalanced quote', bytes('book: "a\n'), 'Missing closing'],
    ['two documents', bytes('book: a\n---\nbook: b\n'), 'multiple documents'],
    ['deep nesting', bytes('['.repeat(100_000)), 'nested more than'],
    ['deep indentation', bytes('- '.repeat(50_000)), 'nested more than'],
    ['an alias bomb', bytes(`a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.split('').map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(',')}]`).join('\n')}`), 'aliases'],
    ['an alias of itself', bytes('a: &a [*a]'), 'aliases replaced'],
    ['an alias without an anchor', bytes('a: *b'), 'no anchor'],
    ['a key that is the prototype', bytes('__proto__: { book: x }'), 'cannot be used'],
    ['a tag', bytes('a: !!js/function x'), 'tag'],
    ['a size beyond the bound', new Uint8Array(9 * 1024 * 1024), 'bytes'],
  ])('refuses %s', (_, text, message) => {
    expect(readPriceBook(text).mistakes.map((mistake) => formatMistake('b', mistake)).join('\n')).toContain(message);
  });
});

describe('a mistake in a price book is named with its place:', () => {
  test.each([
    ['a negative rate', rate('-1'), 'b:4:46: rates[0].price: is negative: -1'],
    ['a negative step', rate('{ tiers: graduated, steps: [{ amount: -1 }] }'), 'rates[0].price.steps[0].amount: is negative'],
    ['steps that overlap', rate('{ tiers: volume, steps: [{ up_to: 10, amount: 2 }, { up_to: 10, amount: 1 }, { amount: 1 }] }'), 'steps[1].up_to: is not above 10, where the step before ends'],
    ['a first step of nothing', rate('{ tiers: volume, steps: [{ up_to: 0, amount: 2 }, { amount: 1 }] }'), 'steps[0].up_to: is 0, so that the step is unreachable'],
    ['a last step that is not open', rate('{ tiers: graduated, steps: [{ up_to: 10, amount: 2 }] }'), 'closes the last step'],
    ['an open step before others', rate('{ tiers: graduated, steps: [{ amount: 2 }, { amount: 1 }] }'), 'steps[0]: has no up_to, so that the steps after it are unreachable'],
    ['blocks that end', rate('{ blocks: top, steps: [{ size: 10, blocks: 5, amount: 2 }] }'), 'closes the last step'],
    ['a package of nothing', rate('{ package: 0, amount: 1 }'), 'price.package: must be above 0'],
    ['no per', `${head}rates: [{ models: [m], classes: [image], price: 1 }]`, 'b:3:9: rates[0]: has no per'],
    ['no price', `${head}rates: [{ models: [m], per: 1 }]`, 'has no price'],
    ['a class without a price', `${head}rates: [{ models: [m], per: 1, classes: [image] }]`, 'has classes without a price'],
    ['an unknown key', `${head}rates: [{ models: [m], per: 1, prices: { image: 1 }, colour: red }]`, 'rates[0].colour: no such key'],
    ['an unknown class', `${head}rates: [{ models: [m], per: 1, prices: { inptu: 1 } }]`, 'rates[0].prices'],
    ['a window that the book lacks', `${head}rates: [{ models: [m], per: 1, when: { windows: [night] }, prices: { image: 1 } }]`, 'when.windows[0]: names a window that the book does not have: night'],
    ['an accumulator that the book lacks', rate('{ package: 1, amount: 1, over: month }').replace('per: 1, ', ''), 'price.over: names an accumulator that the book does not have'],
    ['a calendar that the book lacks', `${rate('1')}windows: { w: { holidays: { only: cn } } }`, 'windows.w.holidays.only: names a calendar'],
    ['a discount that the book lacks', `${rate('1')}stacking: [{ discounts: [a, b], combine: best }]`, 'stacking[0].discounts[1]: names a discount'],
    ['an unknown zone', `${rate('1')}zone: Mars/Base`, 'b:5:1: zone: is no known time zone'],
    ['a window that begins and ends at once', `${rate('1')}windows: { w: { from: "08:00", to: "08:00" } }`, 'ambiguous'],
    ['a contract year without a contract', `${rate('1')}accumulators: { y: { counts: image, period: contract_year } }`, 'when the contract starts'],
    ['a repeated id', `${head}rates: [{ id: a, models: [m], per: 1, classes: [image], price: 1 }, { id: a, models: [n], per: 1, classes: [image], price: 1 }]`, 'rates[1].id: is the id of rates[0] too'],
    ['a minimum above the maximum', rate('1').replace('per: 1', 'per: 1, minimum: 10, maximum: 9.5'), 'is below the minimum'],
    ['two rates for the same usage', banded('', ''), 'overlaps rates[0].prices.input'],
    ['bands that overlap', banded('up_to: 10', 'over: 9'), 'rates[1].prices.input: overlaps rates[0].prices.input'],
    ['a gap between bands', banded('up_to: 10', 'over: 11'), 'rates[1].when.context: leaves a gap: for prompts of more than 10 and at most 11 tokens input has no price'],
    ['a gap below the first band', banded('over: 10'), 'leaves a gap: for prompts of at most 10 tokens'],
    ['a band that no prompt reaches', banded('over: 10, up_to: 10'), 'no request reaches it'],
    ['a rate that bands cover', banded('', 'up_to: 10', 'over: 10'), 'rates[0].prices.input: is unreachable'],
    ['a gap between dates', banded('', '').replace('per: 1, ', 'per: 1, when: { until: 2026-01-01 }, ').replace(/per: 1, prices/, 'per: 1, when: { from: 2026-01-02 }, prices'), 'leaves a gap: from 2026-01-01T00:00:00.000Z to 2026-01-02T00:00:00.000Z'],
    ['an end before the beginning', `${rate('1').replace('per: 1', 'per: 1, when: { from: 2026-02-01, until: 2026-01-01 }')}`, 'when.until: is unreachable'],
    ['a model without a price of input', `${head}rates: [{ models: [m], per: 1, prices: { output: 1 } }]`, 'has no price for input of m'],
    ['a model that leaves out its output', `${head}rates: [{ models: [m], per: 1, prices: { input: 1 } }]`, 'write output: null if the model has no output'],
    ['a discount without a rate', `${rate('1')}discounts: [{ id: d, models: [n], percent: 5 }]`, 'discounts[0]: is unreachable'],
    ['a discount above 100 %', `${rate('1')}discounts: [{ id: d, percent: 101 }]`, 'a percentage from 0 to 100'],
    ['steps over an accumulator that counts something else', `${rate('{ package: 1, amount: 1, over: month }').replace('per: 1, ', '')}accumulators: { month: { counts: tokens, period: month } }`, 'does not count image'],
  ])('%s', (_, text, message) => {
    expect(mistakesIn(text).join('\n')).toContain(message);
  });

  test('all of them at once, in the order of the file', () => {
    const text = `${head}zone: Mars/Base\nrates:\n  - { models: [m], per: 1, prices: { input: -1 } }\n  - { models: [m], per: 1, prices: { output: x }, colour: red }\n`;
    expect(mistakesIn(text).map((mistake) => mistake.split(': ').slice(0, 2).join(' '))).toEqual(['b:3:1 zone', 'b:5:38 rates[0].prices.input', 'b:6:38 rates[1].prices.output', 'b:6:51 rates[1].colour']);
  });

  test('a wrong row does not hide the mistakes of others', () => {
    const text = `${banded('', '')}  - { models: [n], per: 1, prices: { input: -1 } }\n`;
    expect(mistakesIn(text).join('\n')).toMatch(/overlaps rates\[0\][\s\S]*is negative/);
  });
});

describe('a price book without mistakes', () => {
  test.each([
    ['bands that meet', banded('up_to: 10', 'over: 10')],
    ['one band beside a rate for all lengths', banded('', 'over: 10, up_to: 20')],
    ['windows that do not meet', `${head}windows: { day: { from: "08:00", to: "22:00" }, night: { from: "22:00", to: "08:00" } }\nrates:\n  - { models: [m], per: 1, when: { windows: [day] }, prices: { image: 1 } }\n  - { models: [m], per: 1, when: { windows: [night] }, prices: { image: 2 } }`],
    ['holidays against working days', `${head}holidays: { cn: [2026-10-01] }\nwindows: { work: { holidays: { exclude: cn } }, free: { holidays: { only: cn } } }\nrates:\n  - { models: [m], per: 1, when: { windows: [work] }, prices: { image: 1 } }\n  - { models: [m], per: 1, when: { windows: [free] }, prices: { image: 2 } }`],
    ['an output that is explicitly without a price', `${head}rates: [{ models: [m], per: 1, prices: { input: 1, output: null } }]`],
  ])('has %s', (_, text) => {
    expect(mistakesIn(text)).toEqual([]);
  });

  test('is warned of prompts that no band reaches, and of names that no row uses', () => {
    expect(warningsIn(`${banded('up_to: 10')}windows: { night: { from: "22:00", to: "08:00" } }`)).toEqual(['b:4:36: rates[0].when.context: prompts of more than 10 tokens have no price and are refused', 'b:5:12: windows.night: is used by no row']);
  });
});
