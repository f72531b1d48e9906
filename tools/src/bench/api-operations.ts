import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { usageDays, type ApiFixture } from './api-fixture.js';
import type { ApiRequest } from './api-order.js';

/**
 * The operations that are measured: those of the console's own build, sent as its client sends them, by the hash of their text; and the routes of the hand-written
 * side that give the same answers.
 */
export interface ApiOperation {
  readonly name: string;
  /** One for each variant; both sides answer those at the same place alike. */
  readonly graphql: readonly ApiRequest[];
  readonly bare: readonly ApiRequest[];
}

const manifestFile = fileURLToPath(new URL('../../../apps/console/dist/persisted-operations.json', import.meta.url));
const pageSize = 50;
const pages = 20;
const details = 200;
const dayMs = 86_400_000;

const globalId = (type: string, organizationId: string, id: string): string => Buffer.from(`${type}:${organizationId}:${id}`).toString('base64url');
const cursorOf = (id: string): string => Buffer.from(JSON.stringify([id])).toString('base64url');

/** The SHA-256 of the text of each of the console's operations by its name. */
const readManifest = (): ReadonlyMap<string, string> => {
  const texts = z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(manifestFile, 'utf8')));
  return new Map(Object.values(texts).map((text) => [/^\w+ (\w+)/.exec(text)![1]!, createHash('sha256').update(text).digest('hex')]));
};

export const describeOperations = ({ organizationId, requestIds }: ApiFixture, cookie: string): ApiOperation[] => {
  const hashes = readManifest();
  const organization = globalId('Organization', organizationId, organizationId);
  const graphql = (operationName: string, variables: object): ApiRequest => {
    const sha256Hash = hashes.get(operationName);
    if (sha256Hash === undefined) throw new Error(`the console has no operation ${operationName}`);
    const body = JSON.stringify({ operationName, variables: { organizationId: organization, ...variables }, extensions: { persistedQuery: { version: 1, sha256Hash } } });
    return { path: '/graphql', method: 'POST', headers: { cookie, 'content-type': 'application/json', 'apollo-require-preflight': 'true' }, body };
  };
  const bare = (path: string): ApiRequest => ({ path: `/organizations/${organizationId}/${path}`, method: 'GET', headers: { cookie }, body: null });

  const cursors = [null, ...Array.from({ length: pages - 1 }, (_, index) => cursorOf(requestIds[(index + 1) * pageSize]!))];
  const asked = requestIds.filter((_, index) => index % Math.floor(requestIds.length / details) === 0).slice(0, details);
  const until = Math.ceil(Date.now() / dayMs) * dayMs;
  const [from, to] = [new Date(until - usageDays * dayMs).toISOString(), new Date(until).toISOString()];
  return [
    { name: 'organization with balance', graphql: [graphql('Balances', {})], bare: [bare('balances')] },
    { name: 'page of 50 keys', graphql: [graphql('ApiKeys', { first: pageSize })], bare: [bare(`keys?first=${pageSize}`)] },
    {
      name: 'page of 50 requests',
      graphql: cursors.map((after) => graphql('Requests', { first: pageSize, after })),
      bare: cursors.map((after) => bare(`requests?first=${pageSize}${after === null ? '' : `&after=${after}`}`)),
    },
    {
      name: 'daily use of 90 days',
      graphql: [graphql('Usage', { series: { from, until: to, grain: 'DAY', groupBy: 'MODEL', timeZone: 'UTC', groupsMax: 12 } })],
      bare: [bare(`usage?from=${from}&until=${to}`)],
    },
    {
      name: "one request's detail",
      graphql: asked.map((id) => graphql('RequestDetail', { id: globalId('Request', organizationId, id) })),
      bare: asked.map((id) => bare(`requests/${id}`)),
    },
  ];
};
