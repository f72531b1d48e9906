import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { AppError } from '@kilotoken/platform';
import { parseMoney } from '@kilotoken/money';
import { parseLanesFile, type LanesFileProblem } from './lanes-file.js';

const example = `models:
  - model: mock
    contextWindow: 128000
    maxOutputTokens: 8192
    sale: { currency: USD, per: 1000000, input: "0.15", output: "0.60" }
    lanes:
      - kind: openai
        baseUrl: http://127.0.0.1:9101/v1/
        upstreamModel: mock
        keyEnv: MOCK_KEY        # optional
        cost: { currency: USD, per: 1000000, input: "0.10", output: "0.40" }
`;

const problemsOf = (text: string): LanesFileProblem[] => {
  try {
    parseLanesFile(text);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('lanes_file_invalid');
    return (error as AppError).details['problems'] as LanesFileProblem[];
  }
  throw new Error('The file was accepted.');
};

describe('a lanes file', () => {
  test('is read exactly, with its defaults', () => {
    expect(parseLanesFile(example)).toEqual([
      {
        modelId: 'mock',
        contextWindow: 128_000,
        maxOutputTokens: 8_192,
        imageTokens: null,
        unsupportedParameters: 'drop',
        maxTokensAbove: 'refuse',
        sale: { currency: 'USD', per: 1_000_000n, rates: { input: parseMoney('0.15'), output: parseMoney('0.60') } },
        lanes: [
          {
            kind: 'openai',
            baseUrl: 'http://127.0.0.1:9101/v1',
            upstreamModel: 'mock',
            keyEnv: 'MOCK_KEY',
            cost: { currency: 'USD', per: 1_000_000n, rates: { input: parseMoney('0.10'), output: parseMoney('0.40') } },
            capabilities: new Set(['temperature', 'top_p', 'stop', 'seed', 'n', 'max_tokens', 'penalties']),
            tokenClasses: new Set(['input', 'output']),
            tokenizer: 'o200k_base',
            timeouts: { connectMs: 5_000, firstByteMs: 120_000, idleMs: 60_000, answerMs: 600_000 },
            drain: false,
          },
        ],
      },
    ]);
  });

  test('may say what a lane can do, returns and waits for', () => {
    const [listing] = parseLanesFile(
      example
        .replace('output: "0.60"', 'output: "0.60", cachedInput: "0.075", reasoning: null')
        .concat('        capabilities: [tools, response_format]\n        tokenClasses: [cachedInput, reasoning]\n')
        .concat('        tokenizer: cl100k_base\n        timeouts: { firstByteMs: 9000 }\n'),
    );
    expect(listing!.sale.rates).toEqual({ input: parseMoney('0.15'), cached_read: parseMoney('0.075'), output: parseMoney('0.6'), reasoning: null });
    expect(listing!.lanes[0]).toMatchObject({ tokenizer: 'cl100k_base', timeouts: { connectMs: 5_000, firstByteMs: 9_000, idleMs: 60_000, answerMs: 600_000 } });
    expect(listing!.lanes[0]!.tokenClasses).toEqual(new Set(['input', 'output', 'cached_read', 'reasoning']));
    expect([...listing!.lanes[0]!.capabilities]).toEqual(expect.arrayContaining(['tools', 'response_format', 'penalties', 'stop']));
  });

  test('may say how freely clients may ask, what an image costs, and that a vendor is read to its end', () => {
    const [listing] = parseLanesFile(
      example.replace('    sale:', '    imageTokens: 1445\n    unsupportedParameters: refuse\n    maxTokensAbove: clamp\n    sale:').concat('        drain: true\n'),
    );
    expect(listing).toMatchObject({ imageTokens: 1_445, unsupportedParameters: 'refuse', maxTokensAbove: 'clamp', lanes: [{ drain: true }] });
    for (const wrong of ['imageTokens: 0', 'imageTokens: 128001', 'unsupportedParameters: ignore', 'maxTokensAbove: null']) {
      expect(problemsOf(example.replace('    sale:', `    ${wrong}\n    sale:`))).toMatchObject([{ path: `models[0].${wrong.split(':')[0]}`, line: 5 }]);
    }
  });

  test('may name the server instead of each parameter, and what the lane lacks', () => {
    const capabilitiesOf = (lines: string) => parseLanesFile(example.concat(lines))[0]!.lanes[0]!.capabilities;
    const vllm = capabilitiesOf('        capabilities: [vllm, tools, max_completion_tokens]\n        lacks: [n, seed]\n');
    for (const name of ['top_k', 'chat_template_kwargs', 'ignore_eos', 'continuous_usage', 'tools', 'max_completion_tokens', 'temperature', 'penalties']) expect(vllm).toContain(name);
    for (const name of ['n', 'seed', 'vllm', 'top_a']) expect(vllm).not.toContain(name);
    expect(capabilitiesOf('        capabilities: [top_a]\n')).toContain('top_a');
    for (const wrong of ['capabilities: [chat_template]', 'capabilities: [store]', 'lacks: [max_tokens]', 'lacks: [tools]']) {
      expect(problemsOf(example.concat(`        ${wrong}\n`))).toMatchObject([{ line: 12 }]);
    }
  });

  test('understands the names that usage lines show', () => {
    const [listing] = parseLanesFile(example.replaceAll('output: "0.', 'cached_read: "0.01", output: "0.'));
    expect(listing!.lanes[0]!.tokenClasses).toEqual(new Set(['input', 'cached_read', 'output']));
  });

  test('may name no model at all, which retires those that it named', () => {
    expect(parseLanesFile('models: []')).toEqual([]);
  });

  test('is documented with an example that is one', () => {
    const page = readFileSync(new URL('../../../docs/operations/customers-and-lanes.md', import.meta.url), 'utf8');
    const [documented] = parseLanesFile(/```yaml\n([^]*?)```/.exec(page)![1]!);
    expect(documented).toMatchObject({ modelId: 'mock', lanes: [{ keyEnv: 'MOCK_KEY', timeouts: { connectMs: 5_000, firstByteMs: 120_000, idleMs: 60_000, answerMs: 600_000 } }] });
  });

  test('may use an anchor for what repeats', () => {
    const text = example.replace('sale: {', 'sale: &price {').replace(/cost: .*/, 'cost: *price');
    expect(parseLanesFile(text)[0]!.lanes[0]!.cost.rates).toEqual({ input: parseMoney('0.15'), output: parseMoney('0.60') });
  });
});

describe('what is wrong is refused with its place', () => {
  test.each<[name: string, from: string | RegExp, to: string, line: number, path: string, message: RegExp]>([
    ['an unknown key of the file', 'models:', 'vendors: []\nmodels:', 1, 'vendors', /unknown key/],
    ['an unknown key of a model', 'contextWindow:', 'context: 1\n    contextWindow:', 3, 'models[0].context', /unknown key/],
    ['a misspelt key of a lane', 'keyEnv:', 'keyenv:', 10, 'models[0].lanes[0].keyenv', /unknown key/],
    ['an unknown token class', 'input: "0.15"', 'input: "0.15", thinking: "1"', 5, 'models[0].sale.thinking', /unknown key/],
    ['an own __proto__', 'input: "0.15"', '__proto__: "1", input: "0.15"', 5, 'models[0].sale.__proto__', /unknown key/],
    ['a class under two names', 'input: "0.15"', 'input: "0.15", cachedInput: "1", cached_read: "1"', 5, 'models[0].sale.cachedInput', /twice/],
    ['an unquoted amount', 'input: "0.15"', 'input: 0.15', 5, 'models[0].sale.input', /quoted decimal strings/],
    ['an amount in words', '"0.15"', '"1,000"', 5, 'models[0].sale.input', /at most 12 decimals/],
    ['minus zero', '"0.15"', '"-0"', 5, 'models[0].sale.input', /at most 12 decimals/],
    ['a negative amount', '"0.15"', '"-0.15"', 5, 'models[0].sale.input', /from "0"/],
    ['13 decimals', '"0.15"', '"0.0000000000001"', 5, 'models[0].sale.input', /at most 12 decimals/],
    ['an amount beyond all reason', '"0.15"', '"1000000000000.1"', 5, 'models[0].sale.input', /from "0"/],
    ['NaN', '"0.15"', '"NaN"', 5, 'models[0].sale.input', /at most 12 decimals/],
    ['no output price', ', output: "0.60"', '', 5, 'models[0].sale.output', /decimal string/],
    ['per zero', 'per: 1000000', 'per: 0', 5, 'models[0].sale.per', /must be a whole number of tokens from 1/],
    ['per with a fraction', 'per: 1000000', 'per: 0.5', 5, 'models[0].sale.per', /whole number/],
    ['per beyond 2⁵³', 'per: 1000000', 'per: 9007199254740993', 5, 'models[0].sale.per', /whole number/],
    ['a currency in small letters', 'currency: USD', 'currency: usd', 5, 'models[0].sale.currency', /three capital letters/],
    ['a model id with a space', 'model: mock', 'model: "mo ck"', 2, 'models[0].model', /model id/],
    ['an answer longer than the context', '8192', '128001', 4, 'models[0].maxOutputTokens', /contextWindow/],
    ['another kind', 'kind: openai', 'kind: anthropic', 7, 'models[0].lanes[0].kind', /openai/],
    ['a file address', 'http://127.0.0.1:9101/v1/', 'file:///etc/passwd', 8, 'models[0].lanes[0].baseUrl', /http or https/],
    ['a password in the address', 'http://127', 'http://me:secret@127', 8, 'models[0].lanes[0].baseUrl', /keyEnv/],
    ['a query in the address', '/v1/', '/v1?key=secret', 8, 'models[0].lanes[0].baseUrl', /keyEnv/],
    ['a line feed in the upstream model', 'upstreamModel: mock', 'upstreamModel: "a\\r\\nb"', 9, 'models[0].lanes[0].upstreamModel', /visible/],
    ['a key in place of a variable', 'MOCK_KEY ', 'sk-live-123 ', 10, 'models[0].lanes[0].keyEnv', /not the key itself/],
    ['a secret of ours for a vendor', 'MOCK_KEY ', 'INTERNAL_TOKEN ', 10, 'models[0].lanes[0].keyEnv', /must not go to a vendor/],
    ['a class without a sale price', '"0.40"', '"0.40", cachedInput: "0.01"', 7, 'models[0].lanes[0]', /cached_read.*refused/],
    ['an unknown timeout', '"0.40" }', '"0.40" }\n        timeouts: { totalMs: 5 }', 12, 'models[0].lanes[0].timeouts.totalMs', /unknown key/],
    ['no lanes', /lanes:[^]*/, 'lanes: []', 6, 'models[0].lanes', /at least one/],
    ['a key given twice', 'model: mock', 'model: mock\n    model: mock', 3, '', /unique/],
    ['a tag', 'model: mock', 'model: !!js/function mock', 2, '', /tag/],
    ['a tab as indentation', '    contextWindow', '\tcontextWindow', 3, '', /[Tt]abs/],
  ])('%s', (_name, from, to, line, path, message) => {
    const text = example.replace(from, to);
    expect(text).not.toBe(example);
    expect(problemsOf(text)[0]).toEqual(expect.objectContaining({ line, path, message: expect.stringMatching(message) }));
  });

  test('the same model twice, and the same lane twice', () => {
    expect(problemsOf(example + example.slice('models:\n'.length))).toEqual([
      expect.objectContaining({ line: 12, path: 'models[1].model', message: expect.stringContaining('mock') }),
    ]);
    const lane = example.slice(example.indexOf('      - kind'));
    expect(problemsOf(example + lane)).toEqual([expect.objectContaining({ line: 12, path: 'models[0].lanes[1]' })]);
  });

  test('all problems at once, in one message that a person can act on', () => {
    const text = example.replace('"0.15"', '0.15').replace('keyEnv', 'keyenv');
    expect(() => parseLanesFile(text)).toThrow(/line 5, column 42 \(models\[0\]\.sale\.input\): write amounts[^]*line 10, column 9 \(models\[0\]\.lanes\[0\]\.keyenv\)/);
  });

  test.each([
    ['nothing', ''],
    ['a comment alone', '# models'],
    ['a list', '- a'],
    ['an empty key', 'models:'],
    ['a word', 'models: mock'],
  ])('a file that holds %s, rather than all lanes being retired', (_name, text) => {
    expect(problemsOf(text)[0]!.message).toContain('the file needs a list under the key "models"');
  });

  test('a second document in the file', () => {
    expect(problemsOf(`${example}---\nmodels: []\n`)[0]!.message).toMatch(/multiple documents/);
  });
});

describe('a hostile file costs neither memory nor the process', () => {
  const lines = ['a: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let at = 1; at < 12; at++) lines.push(`a${at}: &a${at} [${Array(9).fill(`*a${at - 1}`).join(', ')}]`);

  test.each([
    ['aliases that multiply', lines.join('\n'), /alias/],
    ['an alias without its anchor', 'models: *nothing', /alias/],
    ['an anchor that holds itself', 'models: &m\n  - *m', /./],
    ['flow lists 10⁵ deep', '['.repeat(100_000), /nested too deeply/],
    ['block lists 10⁵ deep', '- '.repeat(100_000), /nested too deeply/],
    ['maps a thousand deep', Array.from({ length: 1_000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'), /nested too deeply/],
    ['many tags', '!a '.repeat(20_000), /tag/],
    ['many keys that are the same', 'a: 1\n'.repeat(10_000), /unique/],
  ])('%s', (_name, text, message) => {
    const startedAt = performance.now();
    const problems = problemsOf(text);
    expect(problems[0]!.message).toMatch(message);
    expect(problems.length).toBeLessThanOrEqual(20);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});
