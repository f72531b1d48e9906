import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonBody } from './json-body.js';
import { ContractError } from './error-catalogue.js';

const encoder = new TextEncoder();
const parse = (text: string): unknown => parseJsonBody(encoder.encode(text));

const refusalOf = (body: string | Uint8Array): ContractError => {
  try {
    parseJsonBody(typeof body === 'string' ? encoder.encode(body) : body);
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
  throw new Error('the body was accepted');
};

describe('bodies that are JSON', () => {
  test('every JSON value of any writer is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 20, stringUnit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('__proto__'));
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['a whole surrogate pair in escapes', '{"a":"\\ud83d\\ude00"}', { a: '😀' }],
    ['an escaped backslash before a u', '{"a":"\\\\ud800"}', { a: '\\ud800' }],
    ['a key that says constructor', '{"constructor":{"type":"string"}}', { constructor: { type: 'string' } }],
    ['the same key in two objects', '[{"a":1},{"a":1}]', [{ a: 1 }, { a: 1 }]],
    ['colons and brackets inside strings', '{"a":"[{:\\"[["}', { a: '[{:"[[' }],
    ['64 levels', '['.repeat(64) + ']'.repeat(64), JSON.parse('['.repeat(64) + ']'.repeat(64))],
  ])('%s is accepted', (_name, text, value) => {
    expect(parse(text)).toEqual(value);
  });
});

describe('bodies that are refused, each with a stable code', () => {
  test.each([
    ['an empty body', '', 'empty_body'],
    ['only spaces', '  ', 'invalid_json'],
    ['a byte order mark', '\ufeff{}', 'invalid_encoding'],
    ['an UTF-16 body', Uint8Array.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0]), 'invalid_encoding'],
    ['a lone continuation byte', Uint8Array.from([0x22, 0x80, 0x22]), 'invalid_encoding'],
    ['an overlong encoding', Uint8Array.from([0x22, 0xc0, 0xaf, 0x22]), 'invalid_encoding'],
    ['a surrogate as raw bytes', Uint8Array.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid_encoding'],
    ['a high surrogate alone', '{"a":"\\ud800"}', 'invalid_encoding'],
    ['a high surrogate before a letter', '{"a":"\\uD83Dx"}', 'invalid_encoding'],
    ['a low surrogate alone', '{"a":"\\udc00"}', 'invalid_encoding'],
    ['two high surrogates', '{"a":"\\ud83d\\ud83d\\ude00"}', 'invalid_encoding'],
    ['a lone surrogate in a key', '{"\\udfff":1}', 'invalid_encoding'],
    ['65 levels', '['.repeat(65) + ']'.repeat(65), 'nesting_too_deep'],
    ['10⁵ open arrays', '['.repeat(1e5), 'nesting_too_deep'],
    ['10⁵ open objects', '{"a":'.repeat(1e5), 'nesting_too_deep'],
    ['100,001 keys', `{${Array.from({ length: 100_001 }, (_, index) => `"${index}":0`).join(',')}}`, 'body_too_complex'],
    ['100,001 equal keys', `{${'"a":0,'.repeat(100_001)}`, 'body_too_complex'],
    ['500,001 values', `[${'0,'.repeat(500_000)}0]`, 'body_too_complex'],
    ['500,001 empty arrays', `[${'[]'.repeat(500_000)}]`, 'body_too_complex'],
    ['__proto__ on top', '{"__proto__":{"x":1}}', 'forbidden_key'],
    ['__proto__ in the depth', '{"a":[{"b":{"__proto__":null}}]}', 'forbidden_key'],
    ['__proto__ in escapes', '{"\\u005f_proto__":1}', 'forbidden_key'],
    ['constructor.prototype', '{"a":{"constructor":{"prototype":{}}}}', 'forbidden_key'],
    ['a key twice', '{"n":1,"n":2}', 'duplicate_key'],
    ['a key twice in the depth', '[{"a":{"b":1,"c":2,"b":1}}]', 'duplicate_key'],
    ['a key twice, once in escapes', '{"model":1,"mod\\u0065l":2}', 'duplicate_key'],
    ['an index twice', '{"1":1,"1":2}', 'duplicate_key'],
    ['NaN', '{"n":NaN}', 'invalid_json'],
    ['a key twice before a syntax error', '{"a":1,"a":2', 'invalid_json'],
    ['a trailing comma', '[1,]', 'invalid_json'],
    ['two values', '{}{}', 'invalid_json'],
    ['a raw line feed in a string', '"a\nb"', 'invalid_json'],
  ])('%s', (_name, body, code) => {
    expect(refusalOf(body).code).toBe(code);
  });

  test('the key that is there twice is named', () => {
    expect(refusalOf('{"a":{"n":1,"m":2,"n":3}}').message).toContain('"n" twice');
  });

  test.each([
    ['{"model":"m","messages":[', 25, 'ends at'],
    ['{"a":tru', 8, 'ends at'],
    ['{"a":"x', 7, 'ends at'],
    ['{"a":1e', 7, 'ends at'],
    ['{"a":1}}', 7, 'unexpected'],
    ['{a:1}', 1, 'unexpected'],
    ['{"a" 1}', 5, 'unexpected'],
    ['[01]', 2, 'unexpected'],
    ['["\\x"]', 2, 'unexpected'],
    ['[1 2]', 3, 'unexpected'],
    ['[}', 1, 'unexpected'],
  ])('%s is refused with position %i', (text, position, wording) => {
    const { code, message } = refusalOf(text);
    expect(code).toBe('invalid_json');
    expect(message).toContain(`position ${position}`);
    expect(message).toContain(wording);
  });

  test('a JSON text that is cut anywhere or has a character changed is never accepted as something else, and never quoted', () => {
    const secret = 'the-secret-prompt';
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.nat(), fc.constantFrom('', '}', ']', ',', ':', '"', '\\', 'x', '-'), (json, seed, inserted) => {
        const text = `{"${secret}":${json}}`;
        const at = seed % text.length;
        const broken = inserted === '' ? text.slice(0, at) : text.slice(0, at) + inserted + text.slice(at);
        let expected: unknown;
        try {
          expected = JSON.parse(broken);
        } catch {
          const { code, message } = refusalOf(broken);
          expect(['invalid_json', 'empty_body', 'invalid_encoding']).toContain(code);
          expect(message).not.toContain(secret);
          return;
        }
        fc.pre(!broken.includes('__proto__'));
        try {
          expect(parse(broken)).toEqual(expected);
        } catch (error) {
          // A changed character can make two keys equal.
          expect((error as ContractError).code).toBe('duplicate_key');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
