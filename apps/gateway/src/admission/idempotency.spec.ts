import { describe, expect, test } from '@jest/globals';
import { hashRequest } from '../intake/request-hash.js';
import { toRefusal } from '../request/refusal.js';
import { idempotencyKeyOf, refuseClaim } from './idempotency.js';

describe('an idempotency key', () => {
  test.each([
    ['none', undefined, null],
    ['one character', 'k', 'k'],
    ['every visible character', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'],
    ['255 characters', 'k'.repeat(255), 'k'.repeat(255)],
  ])('may be %s', (_, header, key) => {
    expect(idempotencyKeyOf(header)).toBe(key);
  });

  test.each<[string, string | string[]]>([
    ['is empty', ''],
    ['has 256 characters', 'k'.repeat(256)],
    ['holds a space', 'a b'],
    ['holds a line break', 'a\nb'],
    ['ends with a line break', 'a\n'],
    ['holds a control character', 'a\u0000'],
    ['holds a letter beyond ASCII', 'clé'],
    ['is there twice, as Node joins them', 'a, b'],
    ['is a list', ['a', 'b']],
  ])('that %s is refused', (_, header) => {
    expect(() => idempotencyKeyOf(header)).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'Idempotency-Key' }));
  });
});

describe('the hash of a request', () => {
  const body = Buffer.from('{"model":"m"}');

  test('is the same for the same bytes of the same operation alone', () => {
    const hash = hashRequest('chat.completions', body);
    expect(hash).toHaveLength(32);
    expect(hashRequest('chat.completions', Buffer.from(body))).toEqual(hash);
    expect(hashRequest('chat.completions', Buffer.from('{"model": "m"}'))).not.toEqual(hash);
    expect(hashRequest('completions', body)).not.toEqual(hash);
  });
});

describe("a key's second request", () => {
  const first = { claimed: false, sameBody: true, requestId: '01890000-0000-7000-8000-000000000001', status: 'completed', charge: '0.000006600000', unit: 'USD' } as const;

  test('is told the generation and its exact charge', () => {
    const refusal = toRefusal(refuseClaim(first));
    expect(refusal).toMatchObject({ code: 'idempotency_conflict', status: 409 });
    expect(refusal.details).toEqual({ generation: { id: first.requestId, object: 'generation', status: 'completed', cost: '0.0000066', cost_currency: 'USD' } });
  });

  test('is told of one that has no id and no charge yet', () => {
    const refusal = refuseClaim({ ...first, status: 'running', requestId: null, charge: null, unit: null });
    expect(refusal.details).toEqual({ generation: { id: null, object: 'generation', status: 'running', cost: null, cost_currency: null } });
  });

  test.each([
    ['was charged', '0.5', /its output until then was charged/],
    ['is not known', null, /its charge is not known yet/],
  ])('is told of a failed one whose charge %s', (_, charge, said) => {
    expect(refuseClaim({ ...first, status: 'failed', charge }).message).toMatch(said);
  });

  test('with another body learns nothing of the first', () => {
    const refusal = refuseClaim({ ...first, sameBody: false });
    expect(refusal).toMatchObject({ code: 'idempotency_key_reused', status: 422, details: {} });
    expect(refusal.message).not.toContain(first.requestId);
  });
});
