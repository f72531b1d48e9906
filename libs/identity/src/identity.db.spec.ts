import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { asOrganization } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import type pg from 'pg';
import { createControlDatabase, type ControlDatabase } from '../../../test/support/control-database.js';
import { createApiKey, findApiKey, listApiKeys, registerApiKey, revokeApiKey, rollApiKey, setApiKey } from './api-key.flow.js';
import { parseApiKey } from './api-key.js';
import type { Organization, Project } from './identity.js';
import { createOrganization, createProject, getOrganization, getProject, listOrganizations, listProjects, setTimeZone } from './organization.flow.js';

const priceBookId = '01890000-0000-7000-8000-000000000000';
const hourMs = 3_600_000;

let database: ControlDatabase;
let prisma: ControlClient;
let app: pg.Pool;
let organizations = 0;
let acme: Organization;
let project: Project;

beforeAll(async () => {
  database = await createControlDatabase();
  ({ prisma, app } = database);
  await prisma.priceBook.create({ data: { id: priceBookId, name: 'list' } });
});

afterAll(() => database.drop());

const newOrganization = () => createOrganization(prisma, { name: 'Acme', slug: `acme-${++organizations}`, priceBook: 'list' });

beforeEach(async () => {
  acme = await newOrganization();
  project = await createProject(prisma, { organizationId: acme.id, name: 'chat' });
});

const newKey = (change: { expiresAt?: Date; allowedModels?: string[]; unsupportedParameters?: 'drop' | 'refuse' } = {}) =>
  createApiKey(prisma, { organizationId: acme.id, projectId: project.id, name: 'server', ...change });

interface Holder {
  readonly organization_id: string;
  readonly api_key_id: string;
  readonly allowed_models: string[] | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly expired: boolean | null;
}

/** What a gateway learns of a key, with the application's rights. */
const authenticate = async (key: string) => {
  const parsed = parseApiKey(key);
  if (!parsed.ok) throw new Error('not a key');
  const columns = 'organization_id, api_key_id, allowed_models, expires_at, revoked_at, expires_at <= kt_now() AS expired';
  const { rows } = await app.query<Holder>(`SELECT ${columns} FROM key_resolve_caller($1)`, [parsed.hash]);
  return rows[0]!;
};

const readConfigVersion = async () => (await prisma.configVersion.findFirstOrThrow()).version;

describe('organizations and projects', () => {
  test('are found by id, by slug or name, and by nothing else', async () => {
    expect(await getOrganization(prisma, acme.id)).toEqual(acme);
    expect(await getOrganization(prisma, acme.slug)).toEqual(acme);
    expect(acme).toMatchObject({ priceBook: 'list', timeZone: 'UTC', status: 'active' });
    expect(await getProject(prisma, acme.id, project.id)).toEqual(project);
    expect(await getProject(prisma, acme.id, 'chat')).toEqual(project);
    for (const nothing of ['nobody', '', '%', '_cme-1', "' OR 1=1--", 'a\0b', '\ud800', '01890000-0000-7000-8000-000000000009']) {
      await expect(getOrganization(prisma, nothing)).rejects.toMatchObject({ code: 'organization_not_found' });
      await expect(getProject(prisma, acme.id, nothing)).rejects.toMatchObject({ code: 'project_not_found' });
    }
  });

  test('have names of their own', async () => {
    await expect(createOrganization(prisma, { name: 'Other', slug: acme.slug, priceBook: 'list' })).rejects.toMatchObject({ code: 'organization_exists' });
    await expect(createProject(prisma, { organizationId: acme.id, name: ' chat ' })).rejects.toMatchObject({ code: 'project_exists' });
    const other = await newOrganization();
    expect(await createProject(prisma, { organizationId: other.id, name: 'chat' })).toMatchObject({ name: 'chat' });
  });

  test("of another organization are not found: a project's id does not tell whose it is", async () => {
    const other = await newOrganization();
    await expect(getProject(prisma, other.id, project.id)).rejects.toMatchObject({ code: 'project_not_found' });
    await expect(createApiKey(prisma, { organizationId: other.id, projectId: project.id, name: 'x' })).rejects.toMatchObject({ code: 'project_not_found' });
  });

  test.each([
    ['a slug with capitals', { slug: 'Acme' }],
    ['a name of nothing but spaces', { name: '  ' }],
    ['a name with NUL', { name: 'a\0b' }],
    ['a name with half a surrogate pair', { name: 'a\ud800' }],
    ['a name of 201 characters', { name: 'a'.repeat(201) }],
    ['a time zone that nobody knows', { timeZone: 'Mars/Olympus' }],
    ['an offset as time zone', { timeZone: '+01:00' }],
    ['a field of its own', { status: 'active' }],
  ])('are not made with %s', async (_name, change) => {
    await expect(createOrganization(prisma, { name: 'A', slug: 'a', priceBook: 'list', ...change })).rejects.toMatchObject({ code: 'identity_invalid' });
  });

  test('need a price book and an organization that exist', async () => {
    await expect(createOrganization(prisma, { name: 'A', slug: 'a', priceBook: 'none' })).rejects.toMatchObject({ code: 'price_book_not_found' });
    await expect(createProject(prisma, { organizationId: priceBookId, name: 'a' })).rejects.toMatchObject({ code: 'organization_not_found' });
  });

  test('begin their days by another zone when that is set, and gateways are told', async () => {
    const version = await readConfigVersion();
    expect(await setTimeZone(prisma, { id: acme.id, timeZone: 'asia/kathmandu' })).toEqual({ ...acme, timeZone: 'Asia/Kathmandu' });
    expect((await getOrganization(prisma, acme.id)).timeZone).toBe('Asia/Kathmandu');
    expect(await readConfigVersion()).toBe(version + 1n);
    const nobody = '01890000-0000-7000-8000-000000000009';
    await expect(setTimeZone(prisma, { id: nobody, timeZone: 'UTC' })).rejects.toMatchObject({ code: 'organization_not_found' });
  });

  // The last one is a zone of Postgres alone.
  test.each(['Mars', '', '+02:00', "UTC'; --", 'Factory'])('have no days by a zone that is none: %j', async (timeZone) => {
    await expect(setTimeZone(prisma, { id: acme.id, timeZone })).rejects.toMatchObject({ code: 'identity_invalid', publicMessage: expect.stringContaining('timeZone') });
    await expect(createOrganization(prisma, { name: 'Acme', slug: 'other', priceBook: 'list', timeZone })).rejects.toMatchObject({ code: 'identity_invalid' });
    expect(await getOrganization(prisma, acme.id)).toEqual(acme);
  });

  test('are listed page by page, each once', async () => {
    await createProject(prisma, { organizationId: acme.id, name: 'a' });
    await createProject(prisma, { organizationId: acme.id, name: 'z' });
    const first = await listProjects(prisma, acme.id, { limit: 2 });
    const second = await listProjects(prisma, acme.id, { limit: 2, after: first.at(-1)!.name });
    expect([...first, ...second].map(({ name }) => name)).toEqual(['a', 'chat', 'z']);
    expect((await listOrganizations(prisma)).map(({ slug }) => slug)).toContain(acme.slug);
    await expect(listProjects(prisma, acme.id, { limit: 1_001 })).rejects.toMatchObject({ code: 'identity_invalid' });
  });
});

describe('API keys', () => {
  test('are shown once and stored as a hash alone', async () => {
    const { key, ...created } = await newKey({ allowedModels: ['mock'] });
    expect(await listApiKeys(prisma, acme.id)).toEqual([created]);
    expect(created).toMatchObject({ status: 'active', allowedModels: ['mock'], prefix: key.slice(0, 12), expiresAt: null, lastUsedAt: null });
    expect(await authenticate(key)).toMatchObject({ organization_id: acme.id, api_key_id: created.id, allowed_models: ['mock'] });
    const { rows } = await prisma.$queryRaw<{ text: string }[]>`SELECT api_key::text AS text FROM api_key`.then((all) => ({ rows: all }));
    expect(rows.length).toBeGreaterThan(0);
    for (const { text } of rows) expect(text).not.toContain(key.slice(12));
  });

  test('without a list of models may use every model', async () => {
    const { key, allowedModels } = await newKey();
    expect(allowedModels).toBeNull();
    expect((await authenticate(key)).allowed_models).toBeNull();
  });

  test.each([
    ['an empty list of models', { allowedModels: [] }],
    ['a model id with a space', { allowedModels: ['a b'] }],
    ['an end in the past', { expiresAt: new Date(Date.now() - 1_000) }],
    ['an end that is no date', { expiresAt: new Date(Number.NaN) }],
  ])('are not made with %s', async (_name, change) => {
    await expect(newKey(change)).rejects.toMatchObject({ code: 'identity_invalid' });
    expect(await listApiKeys(prisma, acme.id)).toEqual([]);
  });

  test('may have settings of their own, which rolling keeps, and gateways are told of a change', async () => {
    const { key, id, ...created } = await newKey({ unsupportedParameters: 'refuse' });
    expect(created).toMatchObject({ unsupportedParameters: 'refuse', maxTokensAbove: null });
    const before = await readConfigVersion();
    expect(await setApiKey(prisma, { organizationId: acme.id, id, maxTokensAbove: 'clamp' })).toMatchObject({ unsupportedParameters: 'refuse', maxTokensAbove: 'clamp' });
    expect(await readConfigVersion()).toBe(before + 1n);
    const [caller] = await prisma.$queryRaw<object[]>`SELECT * FROM key_resolve_caller(sha256(${Buffer.from(key)}))`;
    expect(caller).toMatchObject({ api_key_id: id, unsupported_parameters: 'refuse', max_tokens_above: 'clamp' });
    expect(await rollApiKey(prisma, { organizationId: acme.id, id })).toMatchObject({ unsupportedParameters: 'refuse', maxTokensAbove: 'clamp' });

    const back = await setApiKey(prisma, { organizationId: acme.id, id, unsupportedParameters: null, maxTokensAbove: null });
    expect(back).toMatchObject({ unsupportedParameters: null, maxTokensAbove: null });
    const other = await newOrganization();
    await expect(setApiKey(prisma, { organizationId: other.id, id, maxTokensAbove: 'clamp' })).rejects.toMatchObject({ code: 'api_key_not_found' });
  });

  test('end when they are revoked, and gateways are told', async () => {
    const { key, id } = await newKey();
    const before = await readConfigVersion();
    const revoked = await revokeApiKey(prisma, { organizationId: acme.id, id });
    expect(revoked.status).toBe('revoked');
    expect((await authenticate(key)).revoked_at).toEqual(revoked.revokedAt);
    expect(await readConfigVersion()).toBe(before + 1n);
    expect(await prisma.configChange.findUnique({ where: { version: before + 1n } })).toMatchObject({ kind: 'organization', organizationId: acme.id });

    expect(await revokeApiKey(prisma, { organizationId: acme.id, id })).toEqual(revoked);
    expect(await readConfigVersion()).toBe(before + 1n);
  });

  test('are rolled: the new one has what the old one had, the old one ends at once', async () => {
    const expiresAt = new Date(Date.now() + hourMs);
    const old = await newKey({ allowedModels: ['mock'], expiresAt });
    const rolled = await rollApiKey(prisma, { organizationId: acme.id, id: old.id });
    expect(rolled).toMatchObject({ name: 'server', projectId: project.id, allowedModels: ['mock'], expiresAt, status: 'active' });
    expect(rolled.key).not.toBe(old.key);
    expect((await authenticate(old.key)).revoked_at).not.toBeNull();
    expect((await authenticate(rolled.key)).revoked_at).toBeNull();
    await expect(rollApiKey(prisma, { organizationId: acme.id, id: old.id })).rejects.toMatchObject({ code: 'api_key_ended' });
  });

  test('are rolled with an overlap that never prolongs the old one', async () => {
    const old = await newKey();
    await rollApiKey(prisma, { organizationId: acme.id, id: old.id, overlapMs: hourMs });
    const { expires_at: ends, expired } = await authenticate(old.key);
    expect(expired).toBe(false);
    expect(Math.abs(ends!.getTime() - Date.now() - hourMs)).toBeLessThan(60_000);

    const expiresAt = new Date(Date.now() + 60_000);
    const soon = await newKey({ expiresAt });
    await rollApiKey(prisma, { organizationId: acme.id, id: soon.id, overlapMs: hourMs });
    expect((await authenticate(soon.key)).expires_at).toEqual(expiresAt);
  });

  test.each<[string, ('old' | 'new')[], number[]]>([
    ['the old key twice', ['old', 'old'], [hourMs, hourMs]],
    ['the old key twice, the second time with less overlap', ['old', 'old'], [24 * hourMs, 60_000]],
    ['the old key twice, the second time at once', ['old', 'old'], [hourMs, 0]],
    ['the new key', ['old', 'new'], [hourMs, 60_000]],
    ['the new key, then the old one', ['old', 'new', 'old'], [24 * hourMs, hourMs, 60_000]],
    ['the old key twice, then the newest', ['old', 'old', 'new'], [hourMs, hourMs, hourMs]],
  ])('are rolled again without an earlier end for the new one: %s', async (_name, which, overlaps) => {
    for (const expiresAt of [undefined, new Date(Date.now() + 30 * 24 * hourMs)]) {
      const old = await newKey(expiresAt ? { expiresAt } : {});
      let newest = old;
      for (const [index, one] of which.entries()) {
        newest = await rollApiKey(prisma, { organizationId: acme.id, id: one === 'old' ? old.id : newest.id, overlapMs: overlaps[index]! });
        expect(newest.expiresAt).toEqual(expiresAt ?? null);
      }
      expect((await authenticate(newest.key)).expires_at).toEqual(expiresAt ?? null);
    }
  });

  test('are found by id, by themselves, by their beginning and by a name that one good key has', async () => {
    const first = await newKey();
    for (const text of [first.id, first.key, first.prefix, 'server', ' server ']) expect((await findApiKey(prisma, acme.id, text)).id).toBe(first.id);
    const second = await rollApiKey(prisma, { organizationId: acme.id, id: first.id, overlapMs: hourMs });
    await expect(findApiKey(prisma, acme.id, 'server')).rejects.toMatchObject({
      code: 'api_key_ambiguous',
      publicMessage: expect.stringMatching(new RegExp(`${first.id} .*\\n.*${second.id} `)),
    });
    await revokeApiKey(prisma, { organizationId: acme.id, id: first.id });
    expect((await findApiKey(prisma, acme.id, 'server')).id).toBe(second.id);
    const other = await newOrganization();
    for (const text of [first.id, first.key, first.prefix, 'server', "' OR 1=1--"]) {
      await expect(findApiKey(prisma, other.id, text)).rejects.toMatchObject({ code: 'api_key_not_found' });
    }
  });

  test('rolled by two at once are rolled once', async () => {
    const { id } = await newKey();
    const results = await Promise.allSettled(Array.from({ length: 4 }, () => rollApiKey(prisma, { organizationId: acme.id, id })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await listApiKeys(prisma, acme.id)).filter(({ status }) => status === 'active')).toHaveLength(1);
  });

  test('of another organization are not found', async () => {
    const { id } = await newKey();
    const other = await newOrganization();
    await expect(revokeApiKey(prisma, { organizationId: other.id, id })).rejects.toMatchObject({ code: 'api_key_not_found' });
    await expect(rollApiKey(prisma, { organizationId: other.id, id })).rejects.toMatchObject({ code: 'api_key_not_found' });
    expect((await listApiKeys(prisma, acme.id))[0]!.status).toBe('active');
  });

  test('that were kept before they are stored are stored once', async () => {
    const { key } = await newKey();
    const elsewhere = await newOrganization();
    const its = await createProject(prisma, { organizationId: elsewhere.id, name: 'p' });
    const input = { organizationId: elsewhere.id, projectId: its.id, name: 'kept' };
    const first = await registerApiKey(prisma, input, key);
    expect(await registerApiKey(prisma, input, key)).toEqual(first);
    expect(await listApiKeys(prisma, elsewhere.id)).toHaveLength(1);
    await expect(registerApiKey(prisma, input, `${key.slice(0, -1)}~`)).rejects.toMatchObject({ code: 'identity_invalid' });
  });
});

describe('the application', () => {
  const countAll = async (client: pg.Pool | pg.PoolClient) => {
    const { rows } = await client.query(
      'SELECT (SELECT count(*)::int FROM organization) AS organizations, (SELECT count(*)::int FROM project) AS projects, (SELECT count(*)::int FROM api_key) AS keys',
    );
    return rows[0] as unknown;
  };

  test('sees one organization, the one that its transaction names, and none without', async () => {
    await newKey();
    await newOrganization();
    expect(await countAll(app)).toEqual({ organizations: 0, projects: 0, keys: 0 });
    expect(await asOrganization(app, acme.id, countAll)).toEqual({ organizations: 1, projects: 1, keys: 1 });
    await asOrganization(app, acme.id, async (client) => {
      expect((await client.query('SELECT id FROM organization')).rows).toEqual([{ id: acme.id }]);
      expect((await client.query('SELECT organization_id FROM api_key')).rows).toEqual([{ organization_id: acme.id }]);
    });
  });

  test.each(['organization', 'project', 'api_key', 'api_key_use'])('cannot write %s, not even its own', async (table) => {
    const own = (sql: string) => asOrganization(app, acme.id, (client) => client.query(sql));
    await expect(own(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
    await expect(own(`INSERT INTO ${table} DEFAULT VALUES`)).rejects.toMatchObject({ code: '42501' });
    await expect(own(`UPDATE ${table} SET ${table === 'organization' ? 'id' : 'organization_id'} = '${priceBookId}'`)).rejects.toMatchObject({ code: '42501' });
  });
});
