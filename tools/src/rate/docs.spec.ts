import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import Ajv from 'ajv/dist/2020.js';
import { readStructuredText } from '@kilotoken/pricing';
import { rateWith } from '../../../test/support/rate-command.js';
import { publishedSchemas } from './published-schemas.js';

const docs = new URL('../../../docs/', import.meta.url);
const page = readFileSync(new URL('rating.md', docs), 'utf8');
const schemas = new Map(publishedSchemas());

interface Example {
  readonly title: string;
  readonly files: Record<string, string>;
  readonly words: readonly string[];
  readonly result: string;
}

/** Each section has a book, a file of usage, perhaps others with their names above them, a command and its result. */
const examples = page
  .split(/^## /m)
  .slice(1)
  .map((section): Example => {
    const blocks = [...section.matchAll(/(?:^([a-z.]+):\n\n)?^```([a-z]*)\n([\s\S]*?)^```$/gm)].map(([, name, language, text]) => ({ name, language, text: text! }));
    const [book, usage] = blocks;
    const command = blocks.find(({ language }) => language === 'sh')!.text;
    const named = blocks.flatMap(({ name, text }) => (name === undefined ? [] : [[name, text]]));
    return {
      title: section.split('\n')[0]!,
      files: { 'book.yaml': book!.text, [usage!.language === 'csv' ? 'usage.csv' : 'usage.jsonl']: usage!.text, ...Object.fromEntries(named) },
      words: command.trim().replace('npm run -s rate -- ', '').split(' '),
      result: blocks.at(-1)!.text,
    };
  });

const validatorOf = (name: string) => new Ajv.default({ strict: false, allowUnionTypes: true, validateFormats: false }).compile(JSON.parse(schemas.get(`${name}.schema.json`)!) as object);
const valueOf = (text: string): unknown => {
  const reading = readStructuredText(new TextEncoder().encode(text));
  return reading.ok ? reading.result.value : null;
};

describe('docs/rating.md', () => {
  test('has an example of every construct', () => {
    expect(examples.length).toBeGreaterThanOrEqual(20);
  });

  test.each(examples)('shows the result that the command prints: $title', async ({ files, words, result }) => {
    const run = await rateWith(files, words);
    expect(run.error.replace(/^Warning: .*\n/gm, '')).toBe('');
    expect(run).toMatchObject({ code: 0, out: result });
  });

  test('its files and results are valid by the published schemas', async () => {
    const validate = { book: validatorOf('price-book'), usage: validatorOf('usage'), grants: validatorOf('grants'), counters: validatorOf('counters'), rating: validatorOf('rating') };
    const failures: unknown[] = [];
    const check = (kind: keyof typeof validate, value: unknown, title: string): unknown => validate[kind](value) || failures.push([title, kind, validate[kind].errors]);
    for (const { title, files, words } of examples) {
      check('book', valueOf(files['book.yaml']!), title);
      for (const line of files['usage.jsonl']?.trim().split('\n') ?? []) check('usage', JSON.parse(line), title);
      if (files['grants.yaml']) check('grants', valueOf(files['grants.yaml']), title);
      if (files['counters.yaml']) check('counters', valueOf(files['counters.yaml']), title);
      const { out } = await rateWith(files, words.filter((word) => word !== '--format' && word !== 'table'));
      check('rating', JSON.parse(out), title);
    }
    expect(failures).toEqual([]);
    expect(validate.book({ book: 'b', currency: 'USD', rates: [{ models: '*', colour: 1 }] })).toBe(false);
    expect(validate.usage({ usage_id: 'u', at: 'yesterday', model: 'm', quantities: {} })).toBe(false);
  });
});

describe('docs/schemas', () => {
  test.each([...schemas])('%s is current (npm run schemas)', (name, text) => {
    expect(readFileSync(new URL(`schemas/${name}`, docs), 'utf8')).toBe(text);
  });
});
