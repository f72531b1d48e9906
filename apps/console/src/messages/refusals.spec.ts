import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { errorCatalogue } from '@kilotoken/contracts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../../../..');
const chinese = JSON.parse(readFileSync(join(here, 'refusals.zh.json'), 'utf8')) as Readonly<Record<'api' | 'gateway' | 'fields', Readonly<Record<string, string>>>>;

/** The api, and the libraries whose refusals its mutations pass on. */
const sources = ['apps/api/src', ...['identity', 'people', 'accounts', 'events', 'quota', 'ledger', 'audit', 'access'].map((name) => `libs/${name}/src`)].map((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .map((path) => readFileSync(join(root, folder, path), 'utf8'))
    .join('\n'),
);

/** Refusals of these kinds are told as data; the others end an operation. */
const told = /code: '([a-z_]+)',\s*kind: '(?:invalid|forbidden|not_found|conflict)'/g;
const helpers: readonly (readonly [RegExp, (name: string) => string])[] = [
  [told, (code) => code],
  [/\b(?:conflict|forbidden)\(\s*'([a-z_]+)'/g, (code) => code],
  // Helpers of the libraries take the name of the thing, or the code as it is.
  [/\bnotFound\(\s*'([a-z_]+)'/g, (name) => (name.endsWith('_not_found') ? name : `${name}_not_found`)],
  [/\bambiguous\(\s*'([a-z_]+)'/g, (name) => `${name}_ambiguous`],
];
const codesIn = (text: string): string[] => helpers.flatMap(([pattern, codeOf]) => [...text.matchAll(pattern)].map(([, name]) => codeOf(name!)));

/** Refusals of faces that the console's forms do not meet: the console's files themselves, and the operator's own command line. */
const elsewhere = new Set(['console_not_built']);

const codes = [...new Set(sources.flatMap(codesIn))].filter((code) => !elsewhere.has(code)).sort();
const variablesOf = (text: string): string[] => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name!);

describe('refusals in Chinese', () => {
  it('are there for each code that the api tells', () => {
    expect(codes.length).toBeGreaterThan(45);
    expect(codes.filter((code) => !(code in chinese.api))).toEqual([]);
  });

  it('are there for each code of the gateway', () => expect(Object.keys(chinese.gateway).sort()).toEqual(Object.keys(errorCatalogue).sort()));

  it('are of no code that nobody tells', () => expect(Object.keys(chinese.api).filter((code) => !codes.includes(code))).toEqual([]));

  it('are written in their own script', () => {
    const texts = Object.values(chinese).flatMap((group) => Object.entries(group));
    expect(texts.filter(([, text]) => !/\p{Script=Han}/u.test(text))).toEqual([]);
  });

  it('name only values that their refusal has', () => {
    const valuesOf = (code: string): string[] =>
      sources.flatMap((text) => text.split('\n').filter((line) => line.includes(`'${code}'`))).flatMap((line) => [...line.matchAll(/\{ ([^{}]*) \}/g)].flatMap(([, inside]) => inside!.split(',').map((part) => part.trim().split(':')[0]!)));
    const named = Object.entries(chinese.api).flatMap(([code, text]) => variablesOf(text).map((name) => [code, name] as const));
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(([code, name]) => !valuesOf(code).includes(name))).toEqual([]);
  });
});
