import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { getOrganization, listApiKeys, parseApiKey, revokeApiKey } from '@kilotoken/identity';
import { listGrants, verifyBalanced } from '@kilotoken/ledger';
import { loadCatalogue } from '@kilotoken/marketplace';
import { parseMoney } from '@kilotoken/money';
import type { ControlClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { createControlDatabase, type ControlDatabase } from '../../test/support/control-database.js';
import { serviceUrl } from '../../test/support/postgres.js';
import { seedDemo, type SeedDemo } from './seed.js';

let database: ControlDatabase;
let prisma: ControlClient;
let app: pg.Pool;
let home: string;

beforeEach(async () => {
  database = await createControlDatabase();
  ({ prisma, app } = database);
  home = mkdtempSync(join(tmpdir(), 'kilotoken-seed-'));
});

afterEach(async () => {
  await database.drop();
  rmSync(home, { recursive: true });
});

const localModel = { id: 'smollm2-135m-instruct', contextWindow: 2_048 };
const seed = (change: Partial<SeedDemo> = {}) =>
  seedDemo({ databaseUrl: database.ownerUrl, controlUrl: serviceUrl(database.appUrl, 'control'), home, internalWorkerUrl: 'http://127.0.0.1:8084', localModel, embedded: true, ...change });

const grantsOf = async (slug: string) => listGrants(prisma, (await getOrganization(prisma, slug)).id);
const isKeyOf = async (key: string, slug: string): Promise<boolean> => {
  const parsed = parseApiKey(key);
  if (!parsed.ok) return false;
  const { rows } = await app.query<{ organization_id: string }>('SELECT organization_id FROM key_resolve_caller($1) WHERE revoked_at IS NULL', [parsed.hash]);
  return rows[0]?.organization_id === (await getOrganization(prisma, slug)).id;
};

describe('the demo', () => {
  test('has one person of each role, two of finance, and an admin token, the same after another start', async () => {
    const first = await seed();
    expect(first.users.map(({ role }) => role)).toEqual(['owner', 'developer', 'billing', 'viewer', 'admin', 'finance', 'finance', 'support', 'sales_manager', 'seller']);
    expect(new Set(first.users.map(({ password }) => password)).size).toBe(10);
    expect(statSync(join(home, 'demo-people.json')).mode & 0o777).toBe(0o600);
    const again = await seed();
    expect([again.users, again.serviceToken]).toEqual([first.users, first.serviceToken]);
    const { rows } = await app.query('SELECT FROM organization');
    expect(rows).toEqual([]);
    const [kinds] = await prisma.$queryRaw<{ company: bigint; members: bigint; tokens: bigint }[]>`SELECT (SELECT count(*) FROM organization WHERE kind = 'company') AS company,
      (SELECT count(*) FROM membership m JOIN organization o ON o.id = m.organization_id WHERE o.kind = 'company') AS members, (SELECT count(*) FROM service_token) AS tokens`;
    expect(kinds).toEqual({ company: 1n, members: 6n, tokens: 1n });
  });

  test('has exactly 10 USD to spend, and the bench organization never runs out', async () => {
    const { apiKey, benchApiKey } = await seed();
    expect(await grantsOf('demo')).toEqual([expect.objectContaining({ source: 'package', unit: 'USD', granted: parseMoney('10'), available: parseMoney('10') })]);
    expect(await grantsOf('bench')).toEqual([expect.objectContaining({ unit: 'USD', available: parseMoney('1000000000') })]);
    expect(await isKeyOf(apiKey, 'demo')).toBe(true);
    expect(await isKeyOf(benchApiKey, 'bench')).toBe(true);
    expect((await verifyBalanced(prisma)).imbalances).toEqual([]);
  });

  test('sells the local model and the loopback engine, both for more than nothing, through the worker', async () => {
    expect(await seed()).toMatchObject({ models: [localModel.id, 'loopback'], localModel: localModel.id, loopbackModel: 'loopback' });
    const { models, prices } = await loadCatalogue(app);
    expect([...models.keys()]).toEqual(['loopback', localModel.id]);
    expect(models.get(localModel.id)).toMatchObject({ contextWindow: 2_048, maxOutputTokens: 2_048 });
    for (const { lanes } of models.values()) expect(lanes).toEqual([expect.objectContaining({ kind: 'worker', baseUrl: 'http://127.0.0.1:8084/v1' })]);
    const rates = [...prices.values()].flat().flatMap((version) => [...version.rates.values()]);
    expect(rates).toHaveLength(4);
    for (const { amount } of rates) expect(amount).toBeGreaterThan(0n);
  });

  test('is the same after a restart: keys, rows and configuration', async () => {
    const first = await seed();
    const before = await loadCatalogue(app);
    expect(await seed()).toEqual(first);
    expect(await loadCatalogue(app)).toEqual(before);
    expect([await prisma.organization.count(), await prisma.project.count(), await prisma.apiKey.count(), await prisma.creditGrant.count()]).toEqual([3, 2, 2, 2]);
  });

  test('keeps its keys where only their owner reads them', async () => {
    const { apiKey, benchApiKey } = await seed();
    const file = join(home, 'demo-keys.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ apiKey, benchApiKey });
  });

  test('follows a worker to another port, and a model that went', async () => {
    await seed();
    await seed({ internalWorkerUrl: 'http://127.0.0.1:9999', localModel: null });
    const { models } = await loadCatalogue(app);
    expect([...models.values()].map(({ id, lanes }) => [id, lanes.map(({ baseUrl }) => baseUrl)])).toEqual([['loopback', ['http://127.0.0.1:9999/v1']]]);
    expect(await seed()).toMatchObject({ localModel: localModel.id });
  });

  test('has keys of its own in every installation, and both work on one database', async () => {
    const first = await seed();
    const elsewhere = mkdtempSync(join(tmpdir(), 'kilotoken-seed-'));
    try {
      const second = await seed({ home: elsewhere });
      expect(second.apiKey).not.toBe(first.apiKey);
      expect([await isKeyOf(first.apiKey, 'demo'), await isKeyOf(second.apiKey, 'demo')]).toEqual([true, true]);
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  test('gets a new key where somebody has revoked the old one', async () => {
    const first = await seed();
    const { id: organizationId } = await getOrganization(prisma, 'demo');
    await revokeApiKey(prisma, { organizationId, id: (await listApiKeys(prisma, organizationId))[0]!.id });
    const second = await seed();
    expect(second.apiKey).not.toBe(first.apiKey);
    expect(second.benchApiKey).toBe(first.benchApiKey);
    expect(await isKeyOf(second.apiKey, 'demo')).toBe(true);
    expect(await seed()).toEqual(second);
  });

  test('stops at a damaged file of keys without changing it or repeating a key', async () => {
    const { apiKey } = await seed();
    const file = join(home, 'demo-keys.json');
    writeFileSync(file, `{"apiKey":"${apiKey}`);
    await expect(seed()).rejects.toMatchObject({ code: 'demo_keys_damaged', message: expect.not.stringContaining(apiKey.slice(12)) });
    expect(readFileSync(file, 'utf8')).toBe(`{"apiKey":"${apiKey}`);
  });

  test.each([
    ['production', true, 'demo'],
    ['production', false, 'production'],
    ['test', true, 'test'],
  ])('finds a %s database (its own: %s) and leaves it marked %s', async (kind, embedded, mark) => {
    await prisma.databaseMark.updateMany({ data: { kind } });
    await seed({ embedded });
    expect((await prisma.databaseMark.findFirstOrThrow()).kind).toBe(mark);
  });
});
