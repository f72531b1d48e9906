import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { findKeyProblemsInFile } from './listing.flow.js';
import { describeKeyProblem, findKeyProblems, vendorKeyProblem, type KeyedLane } from './vendor-key.js';

it.each<[string | undefined, string | null]>([
  ['sk-proj-abc_DEF.123', null],
  [undefined, 'is not set'],
  ['', 'is empty'],
  ['sk-abc\n', 'holds a line break'],
  ['sk-abc\r\nx-injected: 1', 'holds a line break'],
  ['\nsk-abc', 'holds a line break'],
  ['sk-abc ', 'holds white space'],
  ['\tsk-abc', 'holds white space'],
  ['Bearer sk-abc', 'holds white space'],
  ['sk\u00a0abc', 'holds white space'],
  ['sk-abc\0', 'holds a character that cannot be sent in a header'],
  ['sk-äbc', 'holds a character that cannot be sent in a header'],
  ['“sk-abc”', 'holds a character that cannot be sent in a header'],
])('of the key %j it is said: %s', (value, problem) => expect(vendorKeyProblem(value)).toBe(problem));

it('every lane with a key that cannot be sent is found, and no other', () => {
  const lane = (keyEnv: string | null, kind: KeyedLane['kind'] = 'openai'): KeyedLane => ({ kind, baseUrl: 'https://vendor.example/v1', upstreamModel: 'm', keyEnv });
  const lanes = [lane('GOOD'), lane('BAD'), lane('UNSET'), lane(null), lane('UNSET', 'worker')];
  const environment: Record<string, string> = { GOOD: 'sk-abc', BAD: 'sk-abc\n' };
  expect(findKeyProblems(lanes, (variable) => environment[variable])).toEqual([
    { lane: lanes[1], variable: 'BAD', problem: 'holds a line break' },
    { lane: lanes[2], variable: 'UNSET', problem: 'is not set' },
  ]);
});

it('of a lanes file it is said which variable is wrong and which lane waits for it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kilotoken-lanes-'));
  const file = join(folder, 'lanes.yaml');
  const lane = (keyEnv: string): string => `{ kind: openai, baseUrl: "https://api.acme.example/v1", upstreamModel: acme-7, keyEnv: ${keyEnv}, cost: { currency: USD, per: 1000000, input: "0.1", output: "0.4" } }`;
  await writeFile(file, `models:\n  - { model: gpt-x, contextWindow: 1000, maxOutputTokens: 100, sale: { currency: USD, per: 1000000, input: "0.15", output: "0.6" }, lanes: [${lane('ACME_KEY')}, ${lane('OTHER_KEY')}] }\n`);
  try {
    const problems = await findKeyProblemsInFile(file, (variable) => (variable === 'OTHER_KEY' ? 'sk-abc' : undefined));
    expect(problems.map(describeKeyProblem)).toEqual(['ACME_KEY is not set: acme-7 at https://api.acme.example/v1 is not tried without it']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
