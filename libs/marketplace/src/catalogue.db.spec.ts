import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseMoney } from '@kilotoken/money';
import type { ControlClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { loadPriceVersion, priceKey } from '@kilotoken/pricing';
import { createControlDatabase, type ControlDatabase } from '../../../test/support/control-database.js';
import { loadCatalogue } from './catalogue.flow.js';
import { defaultModelSettings, type Listing } from './listing.js';
import { applyListings } from './listing.flow.js';

let database: ControlDatabase;
let prisma: ControlClient;
let app: pg.Pool;

beforeEach(async () => {
  database = await createControlDatabase();
  ({ prisma, app } = database);
});

afterEach(() => database.drop());

const listing = (contextWindow: number, input = '0.15'): Listing => ({
  modelId: 'mock',
  contextWindow,
  maxOutputTokens: 1,
  ...defaultModelSettings,
  sale: { currency: 'USD', per: 1_000_000n, rates: { input: parseMoney(input), output: parseMoney('0.6') } },
  lanes: [],
});

const shiftClock = (hours: number) => prisma.$executeRaw`UPDATE database_mark SET clock_shift = make_interval(hours => ${hours}::int)`;
const inputPrices = async () => [...(await loadCatalogue(app)).prices.values()].flat().map(({ rates }) => rates.get('input')!.amount);

describe('the catalogue', () => {
  test('is empty in a new database', async () => {
    expect(await loadCatalogue(app)).toEqual({ version: 1n, models: new Map(), prices: new Map(), burnTables: new Map() });
  });

  test('never shows contents under a version that is not theirs, whatever is written meanwhile', async () => {
    const written = new Map<bigint, number>();
    let writing = true;
    const write = async () => {
      for (let contextWindow = 1; contextWindow <= 40; contextWindow++) {
        await applyListings(prisma, 'file', [listing(contextWindow)]);
        const row = await prisma.configVersion.findFirstOrThrow();
        written.set(row.version, contextWindow);
      }
      writing = false;
    };
    const seen: [bigint, number][] = [];
    const read = async () => {
      while (writing) {
        const { version, models } = await loadCatalogue(app);
        const model = models.get('mock');
        if (model) seen.push([version, model.contextWindow]);
      }
    };
    await Promise.all([write(), read(), read()]);
    expect(seen.length).toBeGreaterThan(10);
    for (const [version, contextWindow] of seen) expect(written.get(version)).toBe(contextWindow);
  });

  test('holds the price in effect, those to come and those of the last minute, and finds any other by its id', async () => {
    await applyListings(prisma, 'file', [listing(1, '0.1')]);
    const first = [...(await loadCatalogue(app)).prices.values()].flat()[0]!;
    await shiftClock(1);
    await applyListings(prisma, 'file', [listing(1, '0.2')]);
    expect(await inputPrices()).toEqual([parseMoney('0.2'), parseMoney('0.1')]);
    await shiftClock(2);
    expect(await inputPrices()).toEqual([parseMoney('0.2')]);

    expect(await loadPriceVersion(app, first.id)).toEqual(first);
    expect(await loadPriceVersion(app, '00000000-0000-7000-8000-000000000000')).toBeNull();
  });

  test('has the prices of each book under that book', async () => {
    await applyListings(prisma, 'file', [listing(1)]);
    const other = '01890000-0000-7000-8000-000000000000';
    await prisma.priceBook.create({ data: { id: other, name: 'other' } });
    const version = await prisma.priceVersion.create({ data: { id: other, priceBookId: other, modelId: 'mock', currency: 'EUR', effectiveAt: new Date() } });
    await prisma.rate.create({ data: { priceVersionId: version.id, tokenClass: 'input', amount: '0.000000000001', per: 1n } });
    const { prices } = await loadCatalogue(app);
    expect(prices.size).toBe(2);
    const rates = new Map([['input', { amount: 1n, per: 1n }]]);
    expect(prices.get(priceKey(other, 'mock'))).toEqual([{ id: other, currency: 'EUR', effectiveAtMs: version.effectiveAt.getTime(), rates }]);
  });

  test.each(['model', 'lane', 'price_book', 'price_version', 'rate', 'config_version'])('cannot be written by the application: %s', async (table) => {
    await expect(app.query(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
    await expect(app.query(`INSERT INTO ${table} DEFAULT VALUES`)).rejects.toMatchObject({ code: '42501' });
  });
});
