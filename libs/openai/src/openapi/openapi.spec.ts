import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { chatCompletionSchema } from '../chat-completion.js';
import { completionSchema } from '../completion.js';
import { errorCatalogue } from '@kilotoken/contracts';
import { composeOpenApi } from './index.js';
import { acceptedBy, type JsonSchema } from './json-schema.js';

const file = readFileSync(new URL('../../../../docs/openapi.json', import.meta.url), 'utf8');
const { version } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')) as { version: string };

interface Operation {
  operationId: string;
  responses: Record<string, { description: string; content?: Record<string, { schema: JsonSchema }> }>;
}
const document = JSON.parse(file) as { paths: Record<string, Record<string, Operation>> };
const operations = Object.values(document.paths).flatMap((path) => Object.values(path));

describe('docs/openapi.json', () => {
  test('is what the schemas say now: run `npm run openapi` where it is not', () => {
    expect(JSON.parse(file)).toEqual(JSON.parse(JSON.stringify(composeOpenApi(version))));
  });

  test('is a valid OpenAPI 3.1 document', async () => {
    const result = await new Validator().validate(JSON.parse(file) as Record<string, unknown>);
    expect(result).toEqual({ valid: true });
  });

  test('has every code of the error catalogue under its status, and no other', () => {
    const named = operations.flatMap(({ responses }) =>
      Object.entries(responses).flatMap(([status, { description }]) => [...description.matchAll(/`([a-z_]+)`/g)].map(([, code]) => `${code} ${status}`)).filter((code) => !code.endsWith(' 200')),
    );
    const catalogue = Object.entries(errorCatalogue).map(([code, { status }]) => `${code} ${status}`);
    expect([...new Set(named)].sort()).toEqual(catalogue.sort());
  });

  test('names each operation once', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

/** Places of a schema that say nothing at all, which would let anything through unseen. */
const emptyPlaces = (schema: unknown, path = ''): string[] => {
  if (typeof schema !== 'object' || schema === null) return [];
  if (Array.isArray(schema)) return schema.flatMap((item, index) => emptyPlaces(item, `${path}/${index}`));
  const says = Object.keys(schema).length > 0 || path.endsWith('/not') || path.endsWith('/additionalProperties');
  return [...(says ? [] : [path]), ...Object.entries(schema).flatMap(([key, value]) => emptyPlaces(value, `${path}/${key}`))];
};

describe.each([
  ['a chat completion', chatCompletionSchema, { model: 'm', messages: [{ role: 'user', content: 'hello' }] }],
  ['a completion', completionSchema, { model: 'm', prompt: 'hello' }],
])("the schema of %s's request", (_, schema, minimal) => {
  const described = acceptedBy(schema);
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(described);
  const both = (body: object): [boolean, boolean] => [validate(body), schema.safeParse(body).success];

  test('says something of every parameter', () => {
    // What a vendor answered with and its client sends back is dropped unread.
    expect(emptyPlaces(described).filter((path) => !path.includes('/annotations/'))).toEqual([]);
  });

  test.each<[string, object]>([
    ['the least', {}],
    ['parameters at their defaults', { temperature: null, n: null, stop: null, logit_bias: null, stream: null }],
    ['one stop sequence', { stop: 'end' }],
    ['several', { stop: ['a', 'b', 'c', 'd'] }],
    ['biases and labels', { logit_bias: { 42: -100 }, metadata: { team: 'red' }, user: 'someone' }],
    ['a stream with usage', { stream: true, stream_options: { include_usage: true } }],
  ])('takes %s as the parser does', (_name, changes) => {
    expect(both({ ...minimal, ...changes })).toEqual([true, true]);
  });

  test.each<[string, object]>([
    ['an unknown parameter', { temprature: 1 }],
    ['a missing model', { model: undefined }],
    ['a number out of bounds', { temperature: 2.1 }],
    ['a fraction where a whole number is due', { n: 1.5 }],
    ['too many stop sequences', { stop: ['a', 'b', 'c', 'd', 'e'] }],
    ['a stop sequence that is a number', { stop: 1 }],
    ['a bias for no token', { logit_bias: { word: 1 } }],
    ['a label that is a number', { metadata: { team: 1 } }],
    ['token ids', { prompt: [1, 2], messages: [1, 2] }],
  ])('refuses %s as the parser does', (_name, changes) => {
    const body = JSON.parse(JSON.stringify({ ...minimal, ...changes })) as object;
    expect(both(body)).toEqual([false, false]);
  });
});
