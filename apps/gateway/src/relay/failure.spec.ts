import { describe, expect, test } from '@jest/globals';
import { connectionFailure, failureOfError, LaneError, statusFailure } from './failure.js';
import { readErrorBody, readVendorError } from './vendor-error.js';
import { customerText, operatorText } from './vendor-text.js';

const body = (error: object): Buffer => Buffer.from(JSON.stringify({ error }));

describe('what a vendor’s status means', () => {
  test.each([
    [500, 'upstream_error', true],
    [502, 'upstream_error', true],
    [503, 'lane_unavailable', true],
    [529, 'lane_unavailable', true],
    [429, 'queue_full', true],
    [401, 'lane_unavailable', true],
    [402, 'lane_unavailable', true],
    [403, 'lane_unavailable', true],
    [404, 'lane_unavailable', true],
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
    expect(statusFailure(400, undefined, body({ message: 'bad', param: 'a\r\nb' })).param).toBeNull();
  });

  test.each([
    ['3', '3'],
    ['Wed, 21 Oct 2026 07:28:00 GMT', '1'],
    [['1', '2'], '1'],
    ['1\r\nx: y', '1'],
  ])('retry-after %j is passed on as %s', (header, expected) => expect(statusFailure(429, header, Buffer.alloc(0)).retryAfter).toBe(expected));
});

describe('an error within an answer of status 200', () => {
  test.each<[unknown, string]>([
    [{ message: 'Provider disconnected', code: 502 }, 'upstream_error'],
    [{ message: 'Insufficient credits', code: 402 }, 'lane_unavailable'],
    [{ error: { message: 'The model is overloaded', type: 'overloaded_error' } }, 'lane_unavailable'],
    [{ message: 'prompt is too long: 208310 tokens > 200000 maximum', code: 400 }, 'context_length_exceeded'],
    ['something broke', 'upstream_error'],
    [{ message: 'Bad temperature', code: '400' }, 'invalid_value'],
    [null, 'upstream_error'],
    [42, 'upstream_error'],
    [[], 'upstream_error'],
  ])('%j is %s', (error, code) => expect(failureOfError(error)).toMatchObject({ code }));
});

describe('the reading of an error', () => {
  test('is bounded: by size, by depth and by number', () => {
    let nested = '{"message":"deep"}';
    for (let depth = 0; depth < 500; depth += 1) nested = `{"error":${nested}}`;
    expect(readErrorBody(Buffer.from(nested)).message).toBeNull();
    expect(readErrorBody(Buffer.from(JSON.stringify({ error: { message: 'x'.repeat(70_000) } })))).toMatchObject({ message: null, codes: [] });
    expect(readVendorError({ errors: Array.from({ length: 1_000 }, (_, index) => ({ code: `code ${index}` })) }).codes.length).toBeLessThan(10);
    expect(readVendorError({ message: 'x'.repeat(60_000) }).message).toHaveLength(2_000);
  });

  test.each(['', 'null', '[]', '{}', '"', '{"error":null}', '<html>', '{"error":{"message":{}}}', '{"error":[[[[[]]]]]}'])('says nothing of %j and does not throw', (text) => {
    expect(readErrorBody(Buffer.from(text))).toMatchObject({ codes: [], status: null });
  });
});

describe('text for people', () => {
  test('an operator reads what the vendor said without any key, whole, masked or known to us', () => {
    const text = operatorText('Incorrect API key provided: sk-proj-abcdefgh12345678. Or sk-ab****yz, AIzaSyAJaC2HRoQlWYanWPm2S, gsk_abcdef123456\r\nor hunter2-vendor-key', ['hunter2-vendor-key']);
    expect(text).toMatch(/^Incorrect API key provided: \[redacted\]/);
    expect(text).not.toMatch(/abcdefgh|ab\*|yz,|AIza|gsk_|hunter2|[\r\n]/);
    expect(operatorText('x '.repeat(5_000)).length).toBeLessThanOrEqual(500);
  });

  test.each([
    ['an address', 'Bad value. See https://vendor.example/docs/errors for more.', 'Bad value.'],
    ['an id of the account', 'Bad value in org-kpJh8SMPq6SLl0qT86AytMy7 of req_011CUB2XUHWkFnQzxcKBbjpF', 'Bad value in [id] of [id]'],
    ['a resource', 'Bad value for accounts/acme/deployments/d1', 'Bad value for [id]'],
    ['a trace', 'ValueError: bad value at /usr/local/lib/python3.12/site-packages/vllm/engine.py', 'ValueError: bad value at [path]'],
    ['a host', 'bad value, said 10.0.3.7:8000 of llm.internal', 'bad value, said [host] of [host]'],
    ['the vendor', 'litellm.BadRequestError: OpenAI said: bad value', 'the model the model said: bad value'],
    ['the lane’s model', 'acme-model-7 has no temperature', 'the model has no temperature'],
    ['words that only look like keys', 'Unexpected keyword argument: skipping task_type', 'Unexpected keyword argument: skipping task_type'],
  ])('a customer is not told of %s', (_what, text, expected) => expect(customerText(text, ['acme-model-7'])).toBe(expected));

  test('nothing at all is said where nothing is left', () => expect(customerText('Upgrade your plan at https://vendor.example')).toBeNull());
});

test('a timeout, a broken connection and a lane that cannot be asked are told apart', () => {
  expect(connectionFailure(Object.assign(new Error(), { code: 'UND_ERR_HEADERS_TIMEOUT' }))).toMatchObject({ code: 'upstream_timeout', broken: false });
  expect(connectionFailure(Object.assign(new Error(), { code: 'ECONNRESET' }))).toMatchObject({ code: 'upstream_error', broken: true, notice: null });
  expect(connectionFailure(new LaneError('VENDOR_KEY is not set'))).toMatchObject({ code: 'lane_unavailable', mayMove: true, broken: false, notice: { kind: 'connection' } });
  expect(connectionFailure(new Error('Proxy response (407) !== 200 when HTTP Tunneling'))).toMatchObject({ code: 'upstream_error', broken: false, notice: { kind: 'connection' } });
});
