import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { fixturesFolder, itNeeds } from '../../../test/support/requirements.js';
import { DemoRandom } from './random.js';
import { drawShape, readTrace, readTraces, traceNames, tracesFolder, type Shape } from './traces.js';

const recorded = (name: string): string[] => gunzipSync(readFileSync(join(fixturesFolder(), name))).toString('utf8').trim().split('\n');

/** Every `step`th of the first requests, as the README says. */
const every = <Item>(items: readonly Item[], step: number, count: number): Item[] => items.filter((_, index) => index % step === 0).slice(0, count);

const azure = (name: string): Shape[] =>
  recorded(`${name}.csv.gz`).slice(1).map((line) => {
    const [, prompt, generated] = line.split(',');
    return { promptTokens: Number(prompt), cachedTokens: 0, outputTokens: Number(generated) };
  });

/** Leading blocks of 512 tokens that an earlier request had. */
const mooncake = (): Shape[] => {
  const seen = new Set<number>();
  return recorded('mooncake-conversation.jsonl.gz').map((line) => {
    const { input_length: promptTokens, output_length: outputTokens, hash_ids: blocks } = JSON.parse(line) as { input_length: number; output_length: number; hash_ids: number[] };
    const unseen = blocks.findIndex((block) => !seen.has(block));
    const known = unseen < 0 ? blocks.length : unseen;
    for (const block of blocks) seen.add(block);
    return { promptTokens, cachedTokens: Math.min(known * 512, promptTokens - 1), outputTokens };
  });
};

describe('the extracts of public traces', () => {
  test('each states its source and its licence in the README beside it', () => {
    const readme = readFileSync(new URL('README.md', tracesFolder), 'utf8');
    const files = readdirSync(tracesFolder).filter((name) => name !== 'README.md');
    expect(files.sort()).toEqual(traceNames.map((name) => `${name}.csv`).sort());
    for (const file of files) {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${file}\``));
      expect(row).toMatch(/https:\/\/github\.com\//);
      expect(row).toMatch(/CC BY 4\.0.*©|Apache-2\.0/);
    }
  });

  itNeeds('fixtures')('are the requests of the whole traces that the README says', () => {
    expect(readTrace('azure-2023-conversation')).toEqual(every(azure('azure-2023-conversation'), 32, 600));
    expect(readTrace('azure-2023-code')).toEqual(every(azure('azure-2023-code'), 22, 400));
    expect(readTrace('mooncake-conversation')).toEqual(every(mooncake(), 24, 500));
  });

  test('a drawn request fits its model, and caches less than its prompt', () => {
    const traces = readTraces();
    const random = new DemoRandom(1);
    const shapes = traceNames.flatMap((name) => Array.from({ length: 1_000 }, () => drawShape(traces, name, random, 60_000, 1_000)));
    expect(shapes.filter(({ promptTokens, outputTokens }) => promptTokens < 1 || promptTokens > 60_000 || outputTokens < 1 || outputTokens > 1_000)).toEqual([]);
    expect(shapes.filter(({ promptTokens, cachedTokens }) => cachedTokens < 0 || cachedTokens >= promptTokens)).toEqual([]);
    expect(shapes.some(({ cachedTokens }) => cachedTokens > 0)).toBe(true);
  });
});
