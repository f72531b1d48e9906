import { describe, expect, test } from '@jest/globals';
import { connectionFailure, statusFailure } from './failure.js';

const body = (error: object): Buffer => Buffer.from(JSON.stringify({ error }));

describe('what a vendor’s status means', () => {
  test.each([
    [500, 'upstream_error', true],
    [502, 'upstream_error', true],
    [503, 'lane_unavailable', true],
    [529, 'lane_unavailable', true],
    [429, 'queue_full', true],
    [401, 'upstream_error', true],
    [403, 'upstream_error', true],
    [404, 'upstream_error', true],
    [302, 'upstream_error', true],
    [400, 'invalid_value', false],
    [422, 'invalid_value', false],
  ])('%s is %s', (status, code, mayMove) => expect(statusFailure(status, undefined, body({ message: 'no' }))).toMatchObject({ code, mayMove }));

  test('a prompt that only the vendor could find too long keeps its own code', () => {
    expect(statusFailure(400, undefined, body({ code: 'context_length_exceeded', message: 'too long' }))).toMatchObject({ code: 'context_length_exceeded', message: 'too long', mayMove: false });
  });

  test('a vendor’s text reaches the client only where it is about the request, in one line and bounded', () => {
    expect(statusFailure(401, undefined, body({ message: 'key sk-secret of account 7' })).message).not.toContain('secret');
    expect(statusFailure(400, undefined, body({ message: 'a\r\nSet-Cookie: b' })).message).toBe('a Set-Cookie: b');
    expect(statusFailure(400, undefined, body({ message: 'x'.repeat(9_000) })).message).toHaveLength(300);
    expect(statusFailure(500, undefined, Buffer.from('<html>')).message).toBe('The model failed to answer.');
  });

  test.each([
    ['3', '3'],
    ['Wed, 21 Oct 2026 07:28:00 GMT', '1'],
    [['1', '2'], '1'],
    ['1\r\nx: y', '1'],
  ])('retry-after %j is passed on as %s', (header, expected) => expect(statusFailure(429, header, Buffer.alloc(0)).retryAfter).toBe(expected));
});

test('a timeout and a broken connection are told apart', () => {
  expect(connectionFailure(Object.assign(new Error(), { code: 'UND_ERR_HEADERS_TIMEOUT' }))).toMatchObject({ code: 'upstream_timeout', broken: false });
  expect(connectionFailure(Object.assign(new Error(), { code: 'ECONNRESET' }))).toMatchObject({ code: 'upstream_error', broken: true });
});
