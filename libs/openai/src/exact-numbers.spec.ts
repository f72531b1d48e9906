import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseChatCompletion } from './chat-completion.js';
import { parseScannedBody, printExactly, scanJsonBody } from '@kilotoken/contracts';
import { restoreNumbers } from './exact-numbers.js';
import { promptTokensBounds } from './prompt-bound.js';
import { buildUpstreamBody } from './upstream-body.js';

const encoder = new TextEncoder();
const options = { model: 'up', maxTokens: 5, maxTokensParam: 'max_tokens', stream: false, continuousUsage: false } as const;

const read = (text: string) => restoreNumbers(parseChatCompletion(parseScannedBody(scanJsonBody(encoder.encode(text)))), text);
const bodyWith = (schema: string, more = ''): string =>
  `{"model":"m",${more}"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
const sent = (text: string): string => printExactly(buildUpstreamBody(read(text), options));

describe('numbers in free JSON', () => {
  test.each(['9007199254740993', '-9007199254740993', '18446744073686646784', '123456789012345678901234567890', '0.10000000000000000001', '1e400', '-1E-400', '12345678901234567890.5e3'])(
    '%s goes to a lane as it was written',
    (number) => {
      const schema = `{"properties":{"id":{"const":${number},"enum":[1,${number},{"x":${number}}]}}}`;
      expect(sent(bodyWith(schema))).toContain(`"parameters":${schema}`);
      expect(scanJsonBody(encoder.encode(bodyWith(schema))).hasLongNumbers).toBe(true);
      const format = `{"type":"json_schema","json_schema":{"name":"s","schema":{"maximum":${number}}}}`;
      expect(sent(bodyWith('{}', `"response_format":${format},`))).toContain(format);
    },
  );

  test('the bound of a prompt counts the digits that are sent', () => {
    const [short] = promptTokensBounds(read(bodyWith('{"const":0}')));
    const [long] = promptTokensBounds(read(bodyWith(`{"const":0.${'0'.repeat(500)}1}`)));
    expect(long! - short!).toBeGreaterThanOrEqual(500);
  });

  test('any JSON of exact numbers is sent as it came', () => {
    const number = fc.tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 1n, max: 10n ** 40n }), fc.constantFrom('', '.5', '.000000000000000000001')).map(([sign, digits, rest]) => `${sign}${digits}${rest}`);
    const json = fc.array(fc.record({ key: fc.string(), number }), { maxLength: 5 }).map((entries) => {
      const unique = new Map(entries.filter(({ key }) => key !== '__proto__' && !/^\d+$/.test(key)).map(({ key, number: digits }) => [key, digits]));
      return `{${[...unique].map(([key, digits]) => `${JSON.stringify(key)}:[${digits},{"v":${digits}}]`).join(',')}}`;
    });
    fc.assert(fc.property(json, (schema) => expect(sent(bodyWith(schema))).toContain(`"parameters":${schema}`)), { numRuns: 300 });
  });

  test('a body of ordinary numbers is not read twice', () => {
    for (const number of ['0', '-1', '3.14159', '999999999999999', '-0.5']) expect(scanJsonBody(encoder.encode(bodyWith(`{"const":${number}}`))).hasLongNumbers).toBe(false);
    expect(scanJsonBody(encoder.encode('{"a":"12345678901234567890 1e5"}')).hasLongNumbers).toBe(false);
  });
});

describe('numbers that are parameters', () => {
  test.each(['"seed":9007199254740993,', '"n":18446744073686646784,', '"max_tokens":9223372036854775808,', '"max_tokens":1e400,'])('%s is refused', (more) => {
    expect(() => read(bodyWith('{}', more))).toThrow();
  });

  test('one that rounds to an allowed value is that value', () => {
    const request = read(bodyWith('{}', '"temperature":0.10000000000000000001,"n":1.00000000000000000001,'));
    expect(request).toMatchObject({ temperature: 0.1, n: 1 });
  });
});
