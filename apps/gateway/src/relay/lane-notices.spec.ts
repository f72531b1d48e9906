import type { Lane } from '@kilotoken/marketplace';
import { expect, test } from '@jest/globals';
import type { OperatorNotice } from './failure.js';
import { createLaneNotices } from './lane-notices.js';

const laneOf = (id: string): Lane => ({ id, modelId: 'gpt-x', upstreamModel: 'acme-7', baseUrl: 'https://vendor.example/v1' }) as Lane;
const account = (text: string): OperatorNotice => ({ kind: 'account', status: 401, text });

const watch = () => {
  const warnings: Readonly<Record<string, unknown>>[] = [];
  const counted: string[] = [];
  const notices = createLaneNotices({ warn: (fields) => warnings.push(fields), count: ({ id }, kind) => counted.push(`${id} ${kind}`), secretsOf: () => ['our-vendor-key'] });
  return { warnings, counted, notices };
};

test('a lane’s trouble is said once a minute with how often it was left out, and counted each time', () => {
  const { warnings, counted, notices } = watch();
  for (let ms = 0; ms < 60_000; ms += 1_000) notices.report(laneOf('a'), account('Insufficient Balance'), ms);
  expect(warnings).toEqual([
    { event: 'lane.refused_us', kind: 'account', laneId: 'a', model: 'gpt-x', upstreamModel: 'acme-7', baseUrl: 'https://vendor.example/v1', upstreamStatus: 401, text: 'Insufficient Balance', leftOut: 0 },
  ]);
  notices.report(laneOf('a'), account('Insufficient Balance'), 60_000);
  expect(warnings.at(1)).toMatchObject({ laneId: 'a', leftOut: 59 });
  expect(counted).toHaveLength(61);
});

test('one lane’s silence hides neither another lane nor another kind of trouble', () => {
  const { warnings, notices } = watch();
  notices.report(laneOf('a'), account('no credit'), 0);
  notices.report(laneOf('b'), account('no credit'), 1);
  notices.report(laneOf('a'), { kind: 'rate', status: 429, text: 'slower' }, 2);
  expect(warnings.map(({ laneId, kind }) => `${String(laneId)} ${String(kind)}`)).toEqual(['a account', 'b account', 'a rate']);
});

test('the key never stands in a warning', () => {
  const { warnings, notices } = watch();
  notices.report(laneOf('a'), account('Incorrect API key provided: our-vendor-key (sk-proj-abcdefgh12345678)'), 0);
  expect(warnings[0]!['text']).toBe('Incorrect API key provided: [redacted] ([redacted])');
});

test('lanes that come and go are not remembered without end', () => {
  const { warnings, notices } = watch();
  for (let lane = 0; lane < 5_000; lane += 1) notices.report(laneOf(String(lane)), account('x'), lane);
  expect(warnings).toHaveLength(5_000);
});
