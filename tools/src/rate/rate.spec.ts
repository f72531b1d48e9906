import { describe, expect, test } from '@jest/globals';
import { rateWith } from '../../../test/support/rate-command.js';

const book = `book: list
currency: USD
rates:
  - { models: [m], per: 1000000, prices: { input: 4, output: 16 } }
`;
const row = (id: string, change: object = {}): string => JSON.stringify({ usage_id: id, at: '2026-07-01T12:00:00Z', model: 'm', quantities: { input: 100_000, output: 2_000 }, ...change });
const words = ['--book', 'book.yaml', '--usage', 'usage'];
const rate = (usage: string | Uint8Array, more: readonly string[] = [], files: Record<string, string> = {}) => rateWith({ 'book.yaml': book, usage, ...files }, [...words, ...more]);
const header = 'usage_id,at,model,input\n';
const at = '2026-07-01T12:00:00Z';

describe('npm run rate', () => {
  test('prints JSON alone, with every number as text', async () => {
    const { code, out, error } = await rate(`${row('a')}\n\n${row('b', { quantities: { input: '5' } })}`);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const { lines, total } = JSON.parse(out) as { lines: object[]; total: object };
    expect(lines[0]).toEqual({ usage_id: 'a', rate_id: 'm/input', class: 'input', quantity: '100000', unit_price: '4', per: '1000000', amount: '0.4', currency: 'USD', discounts: [], allocations: [] });
    expect(lines.length).toBe(3);
    expect(total).toEqual({ USD: '0.43202' });
  });

  test('reads standard input, a byte at a time too, in UTF-8 and UTF-16', async () => {
    const text = `\ufeff${header}a,${at},m,250000\n`;
    for (const bytes of [Buffer.from(text), Buffer.from(text, 'utf16le'), Buffer.from(text, 'utf16le').swap16()]) {
      const drip = async function* (): AsyncGenerator<Uint8Array> {
        for (const byte of bytes) yield Uint8Array.of(byte);
      };
      const { code, out } = await rateWith({ 'book.yaml': book }, ['--book', 'book.yaml', '--usage', '-'], drip());
      expect({ code, total: (JSON.parse(out) as { total: object }).total }).toEqual({ code: 0, total: { USD: '1' } });
    }
  });

  test('two events at the same instant are rated in the order of the file', async () => {
    const tiered = `${book.split('rates')[0]!}accumulators: { t: { counts: tokens, period: month } }\nrates:\n  - { models: [m], classes: [input, output], per: 1, price: { tiers: graduated, over: t, steps: [{ up_to: 1, amount: 5 }, { amount: 1 }] } }\n`;
    const { out } = await rateWith({ 'book.yaml': tiered, usage: `${row('a', { quantities: { input: 1 } })}\n${row('b', { quantities: { input: 1 } })}` }, words);
    expect((JSON.parse(out) as { lines: { amount: string }[] }).lines.map(({ amount }) => amount)).toEqual(['5', '1']);
  });

  test('names every mistake with its file and line, and prints no result', async () => {
    const usage = `${header}=HYPERLINK("http://x"),${at},m,1\nt1,-1,m,1\nt2,3000-01-01T00:00:00Z,m,1\nn,${at},m,-5\nf,${at},m,0.5\nx,${at},other,5\nd,${at},m,1\nd,${at},m,1\nshort,${at}\n`;
    const { code, out, error } = await rate(usage);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error.trim().split('\n').map((line) => line.split(': ').slice(0, 2).join(': '))).toEqual([
      'usage:2: usage_id',
      'usage:3: at',
      'usage:4: at',
      'usage:5: input',
      'usage:6: input',
      'usage:7: the book has no price for input of other at 2026-07-01T12:00:00Z',
      'usage:9: usage_id',
      'usage:10: has 2 fields, and the header 4',
      '8 mistakes. Nothing was rated.',
    ]);
  });

  test.each([
    ['a quote that is never closed', `${header}"a,${at},m,1\n${'x,'.repeat(100)}`, 'a quote that is never closed'],
    ['a million columns', `usage_id,${'c,'.repeat(1_000_000)}\n`, 'more than 65536 characters in one row'],
    ['a column that is not known', `usage_id,at,model,colour\n`, 'names a column that is not known: "colour"'],
    ['a column that stands twice', `usage_id,at,model,at\n`, 'names the column at twice'],
    ['a line without an end', `{"usage_id":"${'x'.repeat(200_000)}`, 'usage:1: has more than 65536 characters in one line'],
    ['a line that is no JSON', `${row('a')}\n{"usage_id":`, 'usage:2: is no JSON'],
    ['deep nesting', `{"a":${'['.repeat(60_000)}`, 'usage:1: is no JSON'],
    ['an unknown key', row('a', { colour: 'red' }), 'usage:1: colour: no such key'],
    ['an unknown class', row('a', { quantities: { inptu: 1 } }), 'usage:1: quantities'],
    ['UTF-16 without a byte order mark', Buffer.from(row('a'), 'utf16le'), 'Save it as UTF-8'],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe, 0x00]), 'Save it as UTF-8'],
    ['more tokens than can be counted', row('a', { quantities: { input: '9007199254740992' } }), 'tokens are whole'],
  ])('refuses %s', async (_, usage, message) => {
    const { code, out, error } = await rate(usage);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error).toContain(message);
  });

  test.each([
    ['no book', ['--usage', 'usage'], "required option '--book <file>'"],
    ['a book that is not there', ['--book', 'none.yaml', '--usage', 'usage'], 'none.yaml: cannot be read: there is no such file'],
    ['a folder', ['--book', '.', '--usage', 'usage'], 'is a folder'],
    ['two files from standard input', ['--book', '-', '--usage', '-'], 'only one file can be -'],
    ['an unknown format', [...words, '--format', 'xml'], 'must be json or table'],
    ['a moment that is none', [...words, '--until', 'tomorrow'], '--until: must be a date'],
  ])('refuses %s', async (_, given, message) => {
    const { code, out, error } = await rateWith({ 'book.yaml': book, usage: row('a') }, given);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error).toContain(message);
  });

  test('names mistakes of the book, grants and counters together', async () => {
    const files = {
      'grants.json': '[{"grant":"g","unit":"pack","amount":1},{"grant":"g","unit":"USD","amount":-1}]',
      'counters.json': '[{"accumulator":"x","account":"a","period_start":"2026-07-01","counted":1}]',
      'book.yaml': book.replace('input: 4', 'input: -4'),
    };
    const { code, error } = await rate(row('a'), ['--grants', 'grants.json', '--counters', 'counters.json'], files);
    expect(code).toBe(2);
    expect(error).toContain('book.yaml:4:44: rates[0].prices.input: is negative');
    expect(error).toContain('grants.json:1:67: [1].amount: is negative');
    const { error: names } = await rate(row('a'), ['--grants', 'grants.json', '--counters', 'counters.json'], { ...files, 'book.yaml': book, 'grants.json': files['grants.json'].replace('-1', '1') });
    expect(names).toContain('[0].unit: is a pack');
    expect(names).toContain('[1].grant: is the id of an earlier grant too');
    expect(names).toContain('[0].accumulator: names an accumulator that the book does not have');
  });

  test('allocations and what is uncovered sum to each line, whatever the grants', async () => {
    const grants = '[{"grant":"a","unit":"USD","amount":"0.333333333333"},{"grant":"p","unit":"pk","amount":"70001","priority":1,"burns":{"input":"1","output":"2.5"}},{"grant":"z","unit":"USD","amount":"0.01","priority":50}]';
    const { code, out } = await rate(Array.from({ length: 20 }, (_, index) => row(`u${index}`)).join('\n'), ['--grants', 'grants.json'], { 'grants.json': grants });
    expect(code).toBe(0);
    const { lines } = JSON.parse(out) as { lines: { amount: string; uncovered?: string; allocations: { amount: string }[] }[] };
    const pico = (text: string): bigint => BigInt(text.split('.')[0]! + (text.split('.')[1] ?? '').padEnd(12, '0'));
    for (const { amount, uncovered = '0', allocations } of lines) expect(allocations.reduce((sum, part) => sum + pico(part.amount), pico(uncovered))).toBe(pico(amount));
    expect(lines.filter(({ uncovered }) => uncovered !== undefined).length).toBeGreaterThan(5);
  });

  test('a result beyond the memory for it passes through a file, whole', async () => {
    const count = 30_000;
    const generate = async function* (): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < count; index += 1) yield Buffer.from(`${row(`u${index}`)}\n`);
    };
    const { code, out } = await rateWith({ 'book.yaml': book }, ['--book', 'book.yaml', '--usage', '-'], generate());
    const { lines, total } = JSON.parse(out) as { lines: unknown[]; total: object };
    expect({ code, lines: lines.length, total }).toEqual({ code: 0, lines: 2 * count, total: { USD: '12960' } });
  });

  test('--help tells the files, the exit codes and examples', async () => {
    const { code, out } = await rateWith({}, ['--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/--until[\s\S]*Exit codes[\s\S]*Examples/);
  });
});
