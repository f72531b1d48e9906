import { describe, expect, test } from '@jest/globals';
import { ContractError, scanJsonBody } from '@kilotoken/contracts';
import type { UpstreamOptions } from '@kilotoken/openai';
import { createInlineOffload, type Offload } from '@kilotoken/platform/offload';
import { loopWorkMax, workOf } from './body-work.js';
import { readLarge, readSmall } from './read-request.js';
import * as jobs from './reading.jobs.js';

const threads: Offload<typeof jobs> = createInlineOffload(async () => jobs);
const options: UpstreamOptions = { model: 'up', maxTokens: 7, maxTokensParam: 'max_tokens', stream: false, continuousUsage: false };

const sharedOf = (text: string): SharedArrayBuffer => {
  const bytes = Buffer.from(text);
  const shared = new SharedArrayBuffer(bytes.length);
  Buffer.from(shared).set(bytes);
  return shared;
};

const requests: readonly (readonly ['chat.completions' | 'completions', string])[] = [
  ['chat.completions', '{"model":"m","messages":[{"role":"user","content":"hello"}],"temperature":0.5,"user":"u","metadata":{"a":"b"},"n":2}'],
  ['chat.completions', '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"é"},{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}]}],"stream":true,"stream_options":{"include_usage":true}}'],
  ['chat.completions', '{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"const":9007199254740993,"maximum":1e400}}}]}'],
  ['chat.completions', '{"model":"m","messages":[{"role":"user","content":"a"}],"prediction":{"type":"content","content":"abc"},"max_completion_tokens":5,"service_tier":"flex"}'],
  ['completions', '{"model":"m","prompt":["a","bc"],"best_of":3,"suffix":"x","max_tokens":9}'],
];

describe('a request that threads read', () => {
  test.each(requests)('of %s is what it is when it is read in the event loop: %s', async (operation, text) => {
    const small = readSmall(scanJsonBody(Buffer.from(text)), operation);
    const large = await readLarge({ threads, raw: { operation, raw: sharedOf(text) }, apiKeyId: 'key', needsHash: true });
    expect(small.params).toMatchObject(large.params);
    expect(large.facts).toEqual(small.facts);
    expect(Buffer.from(await large.body(options)).toString()).toBe(small.body(options));
    expect(large.hash).toHaveLength(32);
    expect(large.params).not.toHaveProperty('messages');
    expect(large.params).not.toHaveProperty('prompt');
  });

  test.each([
    ['{"model":"m","messages":[]}', 'empty_array', 'messages'],
    ['{"model":"m","model":"n","messages":[]}', 'duplicate_key', null],
    ['{"model":"m","messages":[{"role":"user","content":"a"}],"seed":9007199254740993}', 'integer_above_max_value', 'seed'],
  ])('%s is refused with the same code and parameter', async (text, code, param) => {
    const raw = { operation: 'chat.completions', raw: sharedOf(text) } as const;
    const refusal = await readLarge({ threads, raw, apiKeyId: 'key', needsHash: false }).catch((error: unknown) => error as ContractError);
    expect(refusal).toBeInstanceOf(ContractError);
    expect(refusal).toMatchObject({ param });
    let expected: unknown;
    try {
      readSmall(scanJsonBody(Buffer.from(text)), 'chat.completions');
    } catch (error) {
      expected = error;
    }
    expect(refusal).toMatchObject({ code: (expected as ContractError).code, message: (expected as ContractError).message });
    if (code !== 'integer_above_max_value') expect((refusal as ContractError).code).toBe(code);
  });
});

test('an ordinary request is far below the work that the event loop takes', () => {
  const text = requests[0]![1];
  expect(workOf(scanJsonBody(Buffer.from(text)), text.length)).toBeLessThan(loopWorkMax / 20);
});
