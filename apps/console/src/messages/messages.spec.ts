import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const here = fileURLToPath(new URL('.', import.meta.url));
const source = join(here, '..');

type Tree = { readonly [name: string]: string | Tree };

const flatten = (tree: Tree, path = ''): [string, string][] =>
  Object.entries(tree).flatMap(([name, value]) => (typeof value === 'string' ? [[path + name, value] as [string, string]] : flatten(value, `${path}${name}.`)));

const read = (language: string): Map<string, string> => new Map(flatten(JSON.parse(readFileSync(join(here, `${language}.json`), 'utf8')) as Tree));
const english = read('en');
const chinese = read('zh');

/** Names that both languages write alike. */
const alike = new Set<string>([]);

const plural = /_(zero|one|two|few|many|other)$/;
const baseOf = (key: string): string => key.replace(plural, '');

/** The forms that a language needs of a message with a count. */
const formsOf = (language: string): string[] => new Intl.PluralRules(language).resolvedOptions().pluralCategories.map((category) => `_${category}`).sort();
const formsIn = (messages: ReadonlyMap<string, string>, base: string): string[] => [...messages.keys()].filter((key) => plural.test(key) && baseOf(key) === base).map((key) => key.slice(base.length)).sort();

const variablesOf = (text: string): string[] => [...new Set([...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name!))].sort();

const code = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !path.includes('generated') && !path.endsWith('.spec.ts'))
  .map((path) => readFileSync(join(source, path), 'utf8'))
  .join('\n');

describe('messages', () => {
  it('stand in both languages', () => {
    expect(english.size).toBeGreaterThan(400);
    expect([...new Set([...chinese.keys()].map(baseOf))].sort()).toEqual([...new Set([...english.keys()].map(baseOf))].sort());
  });

  it('with a count have every form that their language needs', () => {
    const counted = [...new Set([...english.keys()].filter((key) => plural.test(key)).map(baseOf))];
    expect(counted.length).toBeGreaterThan(2);
    for (const base of counted) {
      expect([base, formsIn(english, base)]).toEqual([base, formsOf('en')]);
      expect([base, formsIn(chinese, base)]).toEqual([base, formsOf('zh')]);
    }
  });

  it('differ between the languages, but for names', () => {
    expect([...english].filter(([key, text]) => chinese.get(key) === text && !alike.has(key))).toEqual([]);
  });

  it('are written in their own script', () => {
    expect([...chinese].filter(([key, text]) => !/\p{Script=Han}/u.test(text) && !['places.webhooks', 'webhooks.title'].includes(key))).toEqual([]);
    expect([...english].filter(([, text]) => /\p{Script=Han}/u.test(text))).toEqual([]);
  });

  it('fill in the same values in both languages', () => {
    const wrong = [...chinese].filter(([key, text]) => variablesOf(text).join() !== variablesOf(english.get(key) ?? '').join());
    expect(wrong).toEqual([]);
  });

  it('are each used by a page', () => {
    const isUsed = (key: string): boolean => code.includes(`'${key}'`) || code.includes(`\`${key.slice(0, key.lastIndexOf('.') + 1)}\${`) || /^(trouble|names)\./.test(key);
    expect([...new Set([...english.keys()].map(baseOf))].filter((key) => !isUsed(key))).toEqual([]);
  });
});
