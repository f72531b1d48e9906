import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { Viewer } from '@kilotoken/access';
import { startTestApi, type TestApi } from '../../../../../test/support/api.js';
import { operationLimits } from './limits.js';

const token: Viewer = { kind: 'token', id: '01920000-0000-7000-8000-000000000001', memberships: [], permissions: null, impersonating: null };
const person: Viewer = { ...token, kind: 'person' };

const persistedText = 'query Me { viewer { id } }';
const hash = createHash('sha256').update(persistedText).digest('hex');
const persisted = new Map([[hash, persistedText]]);

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ persisted });
});
afterAll(async () => {
  await api.stop();
});

const nested = (depth: number): string => `{ organization(slug: "a") { ${'parent { '.repeat(depth)} id ${'} '.repeat(depth)} } }`;
const aliased = (count: number): string => `{ ${Array.from({ length: count }, (_, index) => `a${index}: viewer { id }`).join(' ')} }`;

describe('the server of GraphQL', () => {
  it('answers nobody in particular', async () => {
    expect(await api.query(null, '{ viewer { id } }')).toEqual({ data: { viewer: null } });
  });

  it.each([
    ['fields within fields', nested(12)],
    ['aliases', aliased(40)],
    ['directives', `{ viewer { ${'id @skip(if: false) '.repeat(20)} } }`],
    ['tokens', `{ viewer { ${'id '.repeat(operationLimits.tokensMax)} } }`],
    ['cost', '{ organizations(first: 100) { nodes { apiKeys(first: 100) { nodes { id name prefix } } } } }'],
  ])('refuses too many %s with status 400', async (_, query) => {
    const { status, body } = await api.send(token, { query });
    expect({ status, data: body['data'] ?? null }).toEqual({ status: 400, data: null });
    expect(body['errors']).toHaveLength(1);
  });

  it('costs a small page as little as it is', async () => {
    const { status } = await api.send(token, { query: '{ organizations(first: 2) { nodes { apiKeys(first: 10) { nodes { id name prefix } } } } }' });
    expect(status).toBe(200);
  });

  it.each([
    ['a variable', { query: 'query ($slug: String!) { organization(slug: $slug) { id } }', variables: { slug: 'a\u0000' } }],
    ['a part of a variable', { query: 'query ($filter: AuditFilter) { auditLog(filter: $filter) { nodes { id } } }', variables: { filter: { actorId: '\u0000' } } }],
    ['the operation', { query: '{ organization(slug: "a\\u0000") { id } }' }],
  ])('refuses a NUL in %s, which Postgres cannot store', async (_, body) => {
    const answer = await api.send(token, body);
    expect({ status: answer.status, errors: answer.body['errors'] }).toMatchObject({ status: 400, errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });

  it('refuses batches, and requests that a form could send', async () => {
    expect((await api.sendRaw(token, { body: JSON.stringify([{ query: '{ viewer { id } }' }]) })).status).toBe(400);
    expect((await api.sendRaw(token, { body: JSON.stringify({ query: '{ viewer { id } }' }), headers: { 'content-type': 'text/plain' } })).status).toBe(400);
    expect((await api.sendRaw(token, { method: 'GET', path: '?query=%7Bviewer%7Bid%7D%7D' })).status).toBe(405);
  });

  it.each([['no JSON', '{'], ['nothing', ''], ['null', 'null'], ['a text', '"query"'], ['too much', JSON.stringify({ query: `{ viewer { id } } #${'x'.repeat(operationLimits.bodyBytesMax)}` })]])(
    'answers a body of %s with status 400',
    async (_, body) => {
      expect((await api.sendRaw(token, { body })).status).toBe(400);
    },
  );

  it('names no field that a caller did not write', async () => {
    const { body } = await api.send(token, { query: '{ viewr { id } }' });
    expect(JSON.stringify(body)).not.toMatch(/viewer|did you mean/i);
  });

  it('lets pages of other origins call it only where a setting names them', async () => {
    const preflight = (origin: string) => api.sendRaw(null, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    expect((await preflight('https://console.example.com')).headers.get('access-control-allow-origin')).toBe('https://console.example.com');
    expect((await preflight('https://evil.example.com')).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('answers with a policy that lets no script of a page run', async () => {
    const { headers } = await api.sendRaw(token, { body: '{}' });
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
  });
});

describe('the server of GraphQL in production', () => {
  let production: TestApi;
  beforeAll(async () => {
    production = await startTestApi({ persisted, settings: { KILOTOKEN_MODE: 'production', API_PUBLIC_URL: 'https://console.example.com' } });
  });
  afterAll(async () => {
    await production.stop();
  });

  it('shows nothing of its schema, and runs any other operation of a token', async () => {
    expect((await production.send(token, { query: '{ __schema { types { name } } }' })).status).toBe(400);
    expect((await production.send(token, { query: '{ viewer { kind } }' })).body).toEqual({ data: { viewer: { kind: 'TOKEN' } } });
  });

  it("runs of a session the console's own operations alone, by text or by hash", async () => {
    expect((await production.send(person, { query: '{ viewer { kind } }' })).status).toBe(400);
    expect((await production.send(null, { query: '{ viewer { kind } }' })).status).toBe(400);
    expect((await production.send(person, { query: persistedText })).body).toEqual({ data: { viewer: { id: person.id } } });
    expect((await production.send(person, { extensions: { persistedQuery: { version: 1, sha256Hash: hash } } })).body).toEqual({ data: { viewer: { id: person.id } } });
  });
});
