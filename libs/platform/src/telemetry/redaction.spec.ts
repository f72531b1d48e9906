import { describe, expect, it } from '@jest/globals';
import { withoutSecretNames, withoutSecrets } from './redaction.js';

const key = `kt_live_${'Ab3'.repeat(12)}`;

describe('secrets in a log', () => {
  it.each([
    ['a header, whatever its case', { headers: { Authorization: 'Bearer abc', authorization: 'x', 'X-Api-Key': 'y' } }, ['Bearer abc', '"x"', '"y"']],
    ['a field deep inside', { a: { b: [{ c: { password: 'hunter2' } }] } }, ['hunter2']],
    ['a settings object', { INTERNAL_TOKEN: 'hunter2', apiKey: 'hunter3', api_key: 'hunter4' }, ['hunter2', 'hunter3', 'hunter4']],
    ['what lies too deep to be looked at', { a: { b: { c: { d: { e: { f: { g: 'hunter2' } } } } } } }, ['hunter2']],
  ])('by name: %s', (_what, fields, secrets) => {
    const text = JSON.stringify(withoutSecretNames(fields));
    for (const secret of secrets) expect(text).not.toContain(secret);
  });

  it('by name, however many other names were seen before', () => {
    withoutSecretNames(Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`name-${index}`, index])));
    expect(withoutSecretNames({ 'Set-Cookie': 'a=b', PassWord: 'hunter2' })).toEqual({ 'Set-Cookie': '[redacted]', PassWord: '[redacted]' });
  });

  it('an event without secrets is passed on as it is, not copied', () => {
    const event = { model: 'mock', usage: { input: 3 }, tokens: 5, keyId: '01', lines: [{ class: 'input' }] };
    expect(withoutSecretNames(event)).toBe(event);
  });

  it('the event that was given is not changed', () => {
    const event = { headers: { cookie: 'a=b' } };
    withoutSecretNames(event);
    expect(event.headers.cookie).toBe('a=b');
  });

  it.each([
    [`wrong key ${key} given`, 'wrong key kt_live_[redacted] given'],
    ['header Bearer abc.def-123= refused', 'header Bearer [redacted] refused'],
    ['basic dXNlcjpwYXNz', 'basic [redacted]'],
    ['upstream sk-proj-0123456789abcdef', 'upstream [redacted]'],
    ['connect postgresql://app:p%40ss@127.0.0.1:5432/kilotoken failed', 'connect postgresql://app:[redacted]@127.0.0.1:5432/kilotoken failed'],
    [String.raw`body {\"authorization\":\"hunter2\"}`, String.raw`body {\"authorization\":\"[redacted]\"}`],
    ['{"headers":{"x-api-key":"hunter2"}}', '{"headers":{"x-api-key":"[redacted]"}}'],
  ])('by looks: %s', (text, expected) => {
    expect(withoutSecrets(text)).toBe(expected);
  });

  it.each(['kt_live_Ab3', 'the key was not found', 'http://127.0.0.1:8080/v1', '"tokens":5'])('%s is left alone', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });
});
