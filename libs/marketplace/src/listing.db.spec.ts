import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { baseCapabilities } from '@kilotoken/contracts';
import { parseMoney } from '@kilotoken/money';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { snapshotAgeMsMax } from '@kilotoken/pricing';
import type pg from 'pg';
import { createControlDatabase, type ControlDatabase } from '../../../test/support/control-database.js';
import { loadCatalogue } from './catalogue.flow.js';
import type { LaneOffer } from './lane.js';
import { defaultModelSettings, type Listing } from './listing.js';
import { applyLanesFile, applyListings } from './listing.flow.js';

let database: ControlDatabase;
let prisma: ControlClient;
let app: pg.Pool;

beforeEach(async () => {
  database = await createControlDatabase();
  ({ prisma, app } = database);
});

afterEach(() => database.drop());

const offer = (change: Partial<LaneOffer> = {}): LaneOffer => ({
  kind: 'openai',
  baseUrl: 'http://127.0.0.1:9101/v1',
  upstreamModel: 'mock',
  keyEnv: null,
  cost: { currency: 'USD', per: 1_000_000n, rates: { input: parseMoney('0.1'), output: parseMoney('0.4') } },
  capabilities: new Set(['stop', 'tools']),
  tokenClasses: new Set(['input', 'output']),
  tokenizer: 'o200k_base',
  timeouts: { connectMs: 1_000, firstByteMs: 2_000, idleMs: 3_000, answerMs: 4_000 },
  drain: false,
  ...change,
});

const listing = (change: Partial<Listing> = {}): Listing => ({
  modelId: 'mock',
  contextWindow: 128_000,
  maxOutputTokens: 8_192,
  ...defaultModelSettings,
  sale: { currency: 'USD', per: 1_000_000n, rates: { input: parseMoney('0.0375'), output: parseMoney('0.6'), reasoning: null } },
  lanes: [offer()],
  ...change,
});

const kindsOf = async (listings: Listing[]): Promise<string[]> => (await applyListings(prisma, 'file', listings)).map(({ kind }) => kind);
const readVersion = async (): Promise<bigint> => (await loadCatalogue(app)).version;
const laneIdsOf = async (modelId: string): Promise<string[]> => (await loadCatalogue(app)).models.get(modelId)!.lanes.map(({ id }) => id);
const pricesOf = async (modelId: string) => {
  const { prices } = await loadCatalogue(app);
  return [...prices].filter(([key]) => key.endsWith(`:${modelId}`)).flatMap(([, versions]) => versions);
};

describe('applying listings', () => {
  test('puts them into the catalogue digit for digit, priced at once', async () => {
    expect(await kindsOf([listing()])).toEqual(['model_added', 'lane_added', 'price_published']);
    const { models, prices } = await loadCatalogue(app);
    const model = models.get('mock')!;
    expect(model).toMatchObject({ contextWindow: 128_000, maxOutputTokens: 8_192, lanes: [{ ...offer(), modelId: 'mock', position: 0 }] });
    const [version] = [...prices.values()][0]!;
    expect(version!.rates).toEqual(
      new Map([
        ['input', { amount: parseMoney('0.0375'), per: 1_000_000n }],
        ['output', { amount: parseMoney('0.6'), per: 1_000_000n }],
        ['reasoning', { amount: null, per: 1_000_000n }],
      ]),
    );
    expect(version!.effectiveAtMs).toBeLessThanOrEqual(Date.now());
  });

  test('again changes nothing: no version, no price, no row', async () => {
    const listings = [listing({ lanes: [offer(), offer({ baseUrl: 'http://127.0.0.1:9102/v1' })] }), listing({ modelId: 'second' })];
    await applyListings(prisma, 'file', listings);
    const before = await loadCatalogue(app);
    expect(await kindsOf(listings)).toEqual([]);
    expect(await loadCatalogue(app)).toEqual(before);
  });

  test('by several processes at once is as if one had done it', async () => {
    const listings = [listing(), listing({ modelId: 'second' })];
    await Promise.all(Array.from({ length: 4 }, () => applyListings(prisma, 'file', listings)));
    expect(await prisma.model.count()).toBe(2);
    expect(await prisma.lane.count()).toBe(2);
    expect(await prisma.priceVersion.count()).toBe(2);
  });

  test('retires what is no longer named and brings it back as it was', async () => {
    await applyListings(prisma, 'file', [listing(), listing({ modelId: 'second' })]);
    const lanes = await laneIdsOf('second');
    expect(await kindsOf([listing()])).toEqual(['model_retired', 'lane_retired']);
    expect([...(await loadCatalogue(app)).models.keys()]).toEqual(['mock']);
    expect(await pricesOf('second')).toEqual([]);

    expect(await kindsOf([listing(), listing({ modelId: 'second' })])).toEqual(['model_restored', 'lane_restored']);
    expect(await laneIdsOf('second')).toEqual(lanes);
    expect(await pricesOf('second')).toHaveLength(1);
  });

  test('publishes another price ahead of its beginning and leaves the old one as it is', async () => {
    await applyListings(prisma, 'file', [listing()]);
    const [first] = await pricesOf('mock');
    const sale = { ...listing().sale, rates: { input: 0n, output: parseMoney('0.7') } };
    expect(await kindsOf([listing({ sale })])).toEqual(['price_published']);
    const [next, current] = await pricesOf('mock');
    expect(current).toEqual(first);
    expect(next!.effectiveAtMs).toBeGreaterThanOrEqual(first!.effectiveAtMs + snapshotAgeMsMax);
    expect(next!.rates.get('input')).toEqual({ amount: 0n, per: 1_000_000n });

    // A change of mind before the beginning is one more version, and it begins after the one it corrects.
    expect(await kindsOf([listing()])).toEqual(['price_published']);
    const [last] = await pricesOf('mock');
    expect(last!.effectiveAtMs).toBeGreaterThan(next!.effectiveAtMs);
    expect(last!.rates).toEqual(first!.rates);
  });

  test('makes another lane of another destination or cost, and keeps the lane when only its terms change', async () => {
    await applyListings(prisma, 'file', [listing()]);
    const [before] = await laneIdsOf('mock');
    const terms = offer({ capabilities: new Set(['stop']), timeouts: { connectMs: 9, firstByteMs: 9, idleMs: 9, answerMs: 9 }, tokenizer: 'cl100k_base' });
    expect(await kindsOf([listing({ lanes: [terms] })])).toEqual(['lane_updated']);
    expect(await laneIdsOf('mock')).toEqual([before]);

    const dearer = { ...terms, cost: { ...terms.cost, rates: { ...terms.cost.rates, output: parseMoney('0.5') } } };
    expect(await kindsOf([listing({ lanes: [dearer] })])).toEqual(['lane_added', 'lane_retired']);
    expect(await laneIdsOf('mock')).not.toContain(before);
    expect(await kindsOf([listing({ lanes: [terms, dearer] })])).toEqual(['lane_restored', 'lane_updated']);
    expect((await laneIdsOf('mock'))[0]).toBe(before);
  });

  test('keeps what a lane lacks of what every lane has', async () => {
    const capabilities = new Set(['temperature', 'tools', 'top_k']);
    await applyListings(prisma, 'file', [listing({ lanes: [offer({ capabilities })] })]);
    expect((await loadCatalogue(app)).models.get('mock')!.lanes[0]!.capabilities).toEqual(capabilities);
    expect(await kindsOf([listing({ lanes: [offer({ capabilities })] })])).toEqual([]);
    await prisma.lane.updateMany({ data: { capabilities: [], lacks: [] } });
    expect((await loadCatalogue(app)).models.get('mock')!.lanes[0]!.capabilities).toEqual(new Set(baseCapabilities));
  });

  test('changes the settings of a model and of a lane in place', async () => {
    await applyListings(prisma, 'file', [listing()]);
    const lanes = await laneIdsOf('mock');
    const changed = listing({ imageTokens: 1_445, unsupportedParameters: 'refuse', maxTokensAbove: 'clamp', lanes: [offer({ drain: true })] });
    expect(await kindsOf([changed])).toEqual(['model_updated', 'lane_updated']);
    expect((await loadCatalogue(app)).models.get('mock')).toMatchObject({
      imageTokens: 1_445, unsupportedParameters: 'refuse', maxTokensAbove: 'clamp', lanes: [{ id: lanes[0], drain: true }],
    });
    expect(await kindsOf([changed])).toEqual([]);
    expect(await kindsOf([listing()])).toEqual(['model_updated', 'lane_updated']);
    expect((await loadCatalogue(app)).models.get('mock')).toMatchObject({ ...defaultModelSettings, lanes: [{ drain: false }] });
  });

  test('refuses a model that another origin offers, and then changes nothing', async () => {
    await applyListings(prisma, 'seed', [listing({ modelId: 'loopback' })]);
    const before = await readVersion();
    await expect(applyListings(prisma, 'file', [listing(), listing({ modelId: 'loopback' })])).rejects.toMatchObject({
      code: 'model_listed_elsewhere',
      publicMessage: expect.stringContaining('loopback'),
    });
    expect(await readVersion()).toBe(before);
    expect(await prisma.model.count()).toBe(1);
  });

  test('takes over a model that the other origin has retired', async () => {
    await applyListings(prisma, 'seed', [listing()]);
    await applyListings(prisma, 'seed', []);
    expect(await kindsOf([listing()])).toEqual(['model_restored', 'lane_restored']);
    expect(await kindsOf([listing()])).toEqual([]);
    await applyListings(prisma, 'seed', []);
    expect([...(await loadCatalogue(app)).models.keys()]).toEqual(['mock']);
  });
});

describe('a lanes file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lanes-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const text = `models:
  - model: mock
    contextWindow: 128000
    maxOutputTokens: 8192
    sale: { currency: USD, per: 1000000, input: "0.15", output: "0.60" }
    lanes:
      - { kind: openai, baseUrl: "http://127.0.0.1:9101/v1", upstreamModel: mock, cost: { currency: USD, per: 1000000, input: "0.10", output: "0.40" } }
`;

  test('is applied, and again without effect', async () => {
    const path = join(folder, 'lanes.yaml');
    writeFileSync(path, text);
    expect(await applyLanesFile(prisma, path)).toHaveLength(3);
    const before = await readVersion();
    expect(await applyLanesFile(prisma, path)).toEqual([]);
    expect(await readVersion()).toBe(before);
  });

  test.each<[string, string | Uint8Array | null, string]>([
    ['is missing', null, 'lanes_file_unreadable'],
    ['is too large', '#'.repeat(300_000), 'lanes_file_unreadable'],
    ['is no UTF-8', Uint8Array.of(0xff, 0xfe, 0x41), 'lanes_file_unreadable'],
    ['is wrong', text.replace('"0.15"', '0.15'), 'lanes_file_invalid'],
  ])('that %s changes nothing', async (_name, contents, code) => {
    const path = join(folder, 'lanes.yaml');
    writeFileSync(path, text);
    await applyLanesFile(prisma, path);
    const before = await loadCatalogue(app);
    rmSync(path);
    if (contents !== null) writeFileSync(path, contents);
    await expect(applyLanesFile(prisma, path)).rejects.toMatchObject({ code });
    expect(await loadCatalogue(app)).toEqual(before);
  });
});
