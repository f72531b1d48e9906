import type { Catalogue, Lane } from '@kilotoken/marketplace';
import { expect, it } from '@jest/globals';
import { createLaneKeys } from './lane-keys.js';

const lane = (id: string, keyEnv: string | null): Lane => ({ id, modelId: 'gpt-x', upstreamModel: 'acme-7', kind: 'openai', keyEnv }) as Lane;
const catalogueOf = (lanes: readonly Lane[]): Catalogue => ({ models: new Map([['gpt-x', { id: 'gpt-x', lanes }]]) }) as unknown as Catalogue;

it('one warning names every lane whose key cannot be sent, again only when that changes, and never the key', () => {
  const warnings: Readonly<Record<string, unknown>>[] = [];
  const environment: Record<string, string | undefined> = { GOOD: 'sk-abc', BROKEN: 'sk-s3cr3t\nx: y' };
  const keys = createLaneKeys((variable) => environment[variable], (fields) => warnings.push(fields));
  const lanes = [lane('a', 'GOOD'), lane('b', 'BROKEN'), lane('c', 'UNSET'), lane('d', null)];
  keys.load(catalogueOf(lanes));
  keys.load(catalogueOf(lanes));
  const named = { model: 'gpt-x', upstreamModel: 'acme-7' };
  expect(warnings).toEqual([
    {
      event: 'lane.keys_unusable',
      count: 2,
      lanes: [
        { ...named, laneId: 'b', variable: 'BROKEN', problem: 'holds a line break' },
        { ...named, laneId: 'c', variable: 'UNSET', problem: 'is not set' },
      ],
    },
  ]);
  expect(JSON.stringify(warnings)).not.toContain('s3cr3t');
  keys.load(catalogueOf(lanes.slice(0, 2)));
  expect(warnings).toHaveLength(2);
});

it('lanes without a usable key are left out in their order, and refused for where no other is left', () => {
  const keys = createLaneKeys((variable) => (variable === 'GOOD' ? 'sk-abc' : undefined), () => undefined);
  const [a, b, c] = [lane('a', 'UNSET'), lane('b', 'GOOD'), lane('c', null)];
  keys.load(catalogueOf([a, b, c]));
  expect(keys.usable([a, b, c], 'gpt-x')).toEqual([b, c]);
  const fine = [b, c];
  expect(keys.usable(fine, 'gpt-x')).toBe(fine);
  expect(() => keys.usable([a], 'gpt-x')).toThrow(expect.objectContaining({ code: 'lane_unavailable' }));
});
