import { describe, expect, it } from '@jest/globals';
import { formatMoney } from '@kilotoken/money';
import { closePeriods } from './close.js';
import { compileBook } from './compile.js';
import { createCounters, type Counters } from './counters.js';
import { rateUsage } from './rate.js';
import { bookOf, linesOf, tiered, usageOf, type StepRow } from './worked-example.js';

const at = (text: string): number => Date.parse(`${text}Z`);
const april = at('2026-04-01T00:00:00');
const march = at('2026-03-10T12:00:00');
const month = { accumulators: { month: { counts: ['input'], period: 'month' } } };
const over = (tiers: 'graduated' | 'volume', rows: readonly StepRow[], more = {}) => {
  const { price } = tiered(tiers, rows) as { price: object };
  return { ...month, rates: [{ id: 'r', models: ['m'], classes: ['input'], per: 1, price: { ...price, over: 'month' }, ...more }] };
};
const stripe: readonly StepRow[] = [['5', '7'], ['10', '6.5'], [null, '6']];

const start = (file: object) => {
  const compiled = compileBook(bookOf(file));
  const counters: Counters = createCounters();
  return {
    counters,
    use: (input: string, rest = {}): string[] => linesOf(rateUsage(compiled, usageOf({ input }, { atMs: march, ...rest }), counters)).map(({ amount }) => formatMoney(amount)),
    close: (until = april, since?: number): string[] => closePeriods(compiled, counters, until, since).map(({ reason, rateId, amount, usageId }) => `${usageId} ${rateId} ${reason} ${formatMoney(amount)}`),
  };
};

describe('a graduated price over a period', () => {
  it('goes on where the last line ended, and begins again in the next period', () => {
    const { use, close } = start(over('graduated', stripe));
    expect([use('3'), use('3'), use('6'), use('3', { atMs: april })]).toEqual([['21'], ['20.5'], ['38'], ['21']]);
    expect(close(april)).toEqual([]);
  });

  it('charges the first flat amount with the first line, and each other one when it is reached', () => {
    const { use } = start(over('graduated', [['10', '0', '100'], [null, '0', '50']]));
    expect([use('5'), use('5'), use('5')]).toEqual([['100'], ['0'], ['50']]);
  });

  it('is counted apart for each account', () => {
    const { use } = start(over('graduated', stripe));
    expect([use('5'), use('5', { account: 'other' })]).toEqual([['35'], ['35']]);
  });

  it('is charged up to its maximum in the period', () => {
    const { use } = start(over('graduated', stripe, { maximum: '50' }));
    expect([use('5'), use('5'), use('5')]).toEqual([['35'], ['15'], ['0']]);
  });

  it("runs in the organization's zone, and stays in the period that was open when the zone changed", () => {
    const { use, counters } = start(over('graduated', stripe));
    use('5', { zone: 'Asia/Shanghai', atMs: at('2026-02-28T16:00:00') });
    use('5', { zone: 'UTC', atMs: at('2026-02-28T17:00:00') });
    use('5', { zone: 'UTC', atMs: at('2026-03-31T16:00:00') });
    expect(counters.list('acme', 'month').map(({ startMs, endMs, counted }) => `${new Date(startMs).toISOString()} ${new Date(endMs).toISOString()} ${formatMoney(counted)}`)).toEqual([
      '2026-02-28T16:00:00.000Z 2026-03-31T16:00:00.000Z 10',
      '2026-03-31T16:00:00.000Z 2026-04-01T00:00:00.000Z 5',
    ]);
  });
});

describe('a price by volume over a period', () => {
  it('is trued up at the end to the step that the total reached', () => {
    const { use, close } = start(over('volume', stripe));
    expect([use('5'), use('5'), use('5')]).toEqual([['35'], ['32.5'], ['30']]);
    expect(close()).toEqual(['null r true_up -7.5']);
    expect(close()).toEqual([]);
  });

  it('is trued up again after a late usage, by the difference', () => {
    const { use, close } = start(over('volume', stripe));
    use('5');
    expect(close()).toEqual([]);
    expect(use('5')).toEqual(['32.5']);
    expect(close()).toEqual(['null r true_up -2.5']);
  });

  it('is trued up with the discount that its lines had', () => {
    const { use, close } = start({ ...over('volume', stripe), discounts: [{ id: 'half', percent: '50' }] });
    expect([use('5'), use('5')]).toEqual([['17.5'], ['16.25']]);
    expect(close()).toEqual(['null r true_up -1.25']);
  });

  it('is not closed before its period has ended', () => {
    const { use, close } = start(over('volume', stripe));
    use('5');
    use('5');
    expect(close(april - 1)).toEqual([]);
    expect(close(april, april)).toEqual([]);
    expect(close(april)).toEqual(['null r true_up -2.5']);
  });
});

describe('minimums, maximums and commitments', () => {
  const plain = { rates: [{ id: 'r', models: ['m'], classes: ['input'], per: 1, price: '10' }, { id: 'o', models: ['other'], classes: ['input'], per: 1, price: '1' }] };
  const term = { id: 't', amount: '100', period: 'month' };

  it("a rate's minimum is made up at the end of the period", () => {
    const { use, close } = start(over('graduated', stripe, { minimum: '50' }));
    use('5');
    expect(close()).toEqual(['null r minimum 15']);
  });

  it("a book's minimum is made up at the end of a period with usage", () => {
    const { use, close } = start({ ...plain, minimums: [term] });
    use('4');
    expect(close(at('2026-06-01T00:00:00'))).toEqual(['null t minimum 60']);
  });

  it('the shortfall of a commitment is due for each period in force, with usage or without', () => {
    const { use, close } = start({ ...plain, commitments: [{ ...term, from: '2026-02-01', until: '2026-05-01' }] });
    use('4');
    expect(close(at('2026-12-01T00:00:00'))).toEqual(['null t shortfall 100', 'null t shortfall 60', 'null t shortfall 100']);
    expect(close(at('2026-12-01T00:00:00'))).toEqual([]);
  });

  it('a commitment that is reached has no shortfall, and other models do not count where it names its own', () => {
    const { use, close } = start({ ...plain, commitments: [{ ...term, models: ['m'] }] });
    use('50', { model: 'other' });
    use('4');
    expect(close()).toEqual(['null t shortfall 60']);
    use('6');
    expect(close()).toEqual([]);
  });

  it('a maximum cuts the line that passes it, and says so', () => {
    const { use } = start({ ...plain, maximums: [term] });
    expect([use('6'), use('6'), use('1')]).toEqual([['60'], ['40'], ['0']]);
  });
});
