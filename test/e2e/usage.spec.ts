import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { formatMoney } from '@kilotoken/money';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import { instruct } from '../support/vendor-script.js';

/** What vendors say of their usage, what of it is billed, and that a client is told the same and nothing that is the vendor's own. */

type Counts = Record<string, number>;

/** In USD a million; the lane of `classes` declares them all, that of `plain` none. */
const sale = { input: '1', cached_read: '0.1', cache_write_5m: '1.25', cache_write_1h: '2', audio_in: '3', image_in: '4', output: '5', reasoning: '6', audio_out: '7', image_out: '8' };
const picoPerToken: Counts = { input: 1e6, cached_read: 1e5, cache_write_5m: 125e4, cache_write_1h: 2e6, audio_in: 3e6, image_in: 4e6, output: 5e6, reasoning: 6e6, audio_out: 7e6, image_out: 8e6 };
const priceOf = (counts: Counts): string => formatMoney(Object.entries(counts).reduce((sum, [name, tokens]) => sum + BigInt(tokens) * BigInt(picoPerToken[name]!), 0n));

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  const { baseUrl } = vendor;
  cluster = await startCluster({
    models: [
      { model: 'classes', sale, lanes: [{ baseUrl, tokenClasses: Object.keys(sale) }] },
      { model: 'plain', sale: { input: '1', output: '5' }, lanes: [{ baseUrl }] },
    ],
    grants: ['100'],
    env: { ATTEMPTS_MAX: '1' },
  });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

interface Told {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: Record<string, number | undefined> & { cache_creation?: Record<string, number> };
  completion_tokens_details: Record<string, number | undefined>;
  estimated?: true;
  cost: number;
  cost_currency: string;
  kilotoken: { charges: { unit: string; amount: string }[] };
}
interface Body {
  choices: { delta?: { content?: string }; message?: { content: string } }[];
  usage?: Told | null;
}
interface Row {
  counts: Counts;
  estimated: boolean;
  outcome: string;
  charge: string;
}
interface Answer {
  /** All that the client got, as it came. */
  text: string;
  told: Told;
  row: Row;
}

/** The vendor's own names, wherever it may put them. */
const theirs = { provider: 'Some Cloud', cost: 0.987654321, cost_details: { upstream_inference_cost: 0.987654321 }, is_byok: true };

const json = { 'content-type': 'application/json' };
const ask = async (usage: unknown, { stream = false, model = 'classes' } = {}): Promise<Answer> => {
  const common = { id: 'gen-1', created: 1, model: 'theirs', ...theirs };
  const choice = { index: 0, finish_reason: null as string | null, ...theirs };
  const event = (fields: object): string => `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', ...fields })}\n\n`;
  const raw = stream
    ? {
        parts: [
          event({ choices: [{ ...choice, delta: { role: 'assistant', content: 'two ' } }] }),
          event({ choices: [{ ...choice, delta: { content: 'words' } }] }),
          event({ choices: [{ ...choice, delta: {}, finish_reason: 'stop' }] }),
          event({ choices: [], usage }),
          'data: [DONE]\n\n',
        ],
      }
    : { headers: json, parts: [JSON.stringify({ ...common, object: 'chat.completion', choices: [{ ...choice, message: { role: 'assistant', content: 'two words' }, finish_reason: 'stop' }], usage })] };
  const response = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, ...json },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: instruct({ raw } as Parameters<typeof instruct>[0]) }], ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}) }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  const events = stream ? text.split('\n\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice('data: '.length)) as Body) : [JSON.parse(text) as Body];
  for (const body of events) expect(body).toMatchObject({ id: expect.stringMatching(/^chatcmpl-/), object: stream ? 'chat.completion.chunk' : 'chat.completion', created: expect.any(Number), model });
  expect(events.flatMap(({ choices }) => choices.map(({ delta, message }) => (delta ?? message)?.content ?? '')).join('')).toBe('two words');
  const [row] = await cluster.sql<Row>('SELECT counts, estimated, outcome, trim_scale(charge)::text AS charge FROM usage WHERE id = $1', [response.headers.get('x-request-id')]);
  return { text, told: events.findLast(({ usage: told }) => told)!.usage!, row: row! };
};

/** The classes that a client can work out from what it is told. */
const classesOf = ({ prompt_tokens: prompt, completion_tokens: completion, prompt_tokens_details: of, completion_tokens_details: out }: Told): Counts => {
  const { cached_tokens: cached = 0, cache_write_tokens: written = 0, audio_tokens: audio = 0, image_tokens: image = 0 } = of as Counts;
  const { reasoning_tokens: reasoning = 0, audio_tokens: audioOut = 0, image_tokens: imageOut = 0 } = out as Counts;
  const hour = of.cache_creation?.['ephemeral_1h_input_tokens'] ?? 0;
  const classes = {
    input: prompt - cached - written - audio - image, cached_read: cached, cache_write_5m: written - hour, cache_write_1h: hour, audio_in: audio, image_in: image,
    output: completion - reasoning - audioOut - imageOut, reasoning, audio_out: audioOut, image_out: imageOut,
  };
  return withoutZeros(classes);
};
const withoutZeros = (counts: Counts): Counts => Object.fromEntries(Object.entries(counts).filter(([, tokens]) => tokens !== 0));

const expectTold = ({ text, told, row }: Answer): void => {
  expect(classesOf(told)).toEqual(withoutZeros(row.counts));
  expect(told.total_tokens).toBe(told.prompt_tokens + told.completion_tokens);
  expect(told.estimated ?? false).toBe(row.estimated);
  expect(told.kilotoken).toEqual({ charges: [{ unit: 'USD', amount: row.charge }] });
  // The number's own text, not what a double makes of it.
  expect(text).toContain(`"cost":${row.charge},"cost_currency":"USD"`);
  expect(row.charge).toBe(priceOf(row.counts));
  expect(text).not.toMatch(/provider|Some Cloud|cost_details|upstream_inference|is_byok|theirs|987654321/);
};

describe('a usage is billed and told', () => {
  it.each<[string, object, Counts]>([
    ['with a cache that is written beside the prompt', { prompt_tokens: 25, completion_tokens: 206, total_tokens: 231, cache_creation_input_tokens: 1447 }, { input: 25, cache_write_5m: 1447, output: 206 }],
    ['with an answer of nothing but reasoning beside it', { completion_tokens: 0, prompt_tokens: 21, total_tokens: 81, completion_tokens_details: { reasoning_tokens: 60 } }, { input: 21, reasoning: 60 }],
    ['with more reasoning than answer', { prompt_tokens: 21, completion_tokens: 5, total_tokens: 26, completion_tokens_details: { reasoning_tokens: 60 } }, { input: 21, reasoning: 5 }],
    ['with a total of -1', { prompt_tokens: 21, completion_tokens: 5, total_tokens: -1 }, { input: 21, output: 5 }],
    ["under Anthropic's names", { input_tokens: 10, output_tokens: 7, cache_read_input_tokens: 90, cache_creation: { ephemeral_1h_input_tokens: 30, ephemeral_5m_input_tokens: 20 } }, { input: 10, cached_read: 90, cache_write_1h: 30, cache_write_5m: 20, output: 7 }],
    ["under the names of OpenAI's Responses", { input_tokens: 100, input_tokens_details: { cached_tokens: 64 }, output_tokens: 9, output_tokens_details: { reasoning_tokens: 4 } }, { input: 36, cached_read: 64, output: 5, reasoning: 4 }],
    ["under Gemini's names", { promptTokenCount: 30, candidatesTokenCount: 4, thoughtsTokenCount: 16, totalTokenCount: 50 }, { input: 30, output: 4, reasoning: 16 }],
    ['in every class', { prompt_tokens: 100, completion_tokens: 90, prompt_tokens_details: { cached_tokens: 10, cache_write_tokens: 20, audio_tokens: 30, image_tokens: 15 }, completion_tokens_details: { reasoning_tokens: 40, audio_tokens: 20, image_tokens: 10 } }, { input: 25, cached_read: 10, cache_write_5m: 20, audio_in: 30, image_in: 15, output: 20, reasoning: 40, audio_out: 20, image_out: 10 }],
    ['with digits as text', { prompt_tokens: '21', completion_tokens: '5' }, { input: 21, output: 5 }],
    ['with bad details beside good ones', { prompt_tokens: 21, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 2 ** 63, audio_tokens: 4 }, completion_tokens_details: 'none' }, { input: 17, audio_in: 4, output: 5 }],
  ])('%s', async (_, usage, counts) => {
    for (const stream of [false, true]) {
      const answer = await ask({ ...usage, ...theirs }, { stream });
      expect(withoutZeros(answer.row.counts)).toEqual(counts);
      expect(answer.row).toMatchObject({ outcome: 'completed', estimated: false });
      expectTold(answer);
    }
  });

  it('with classes that its lane does not declare as their parents', async () => {
    const usage = { prompt_tokens: 100, completion_tokens: 9, total_tokens: 129, prompt_tokens_details: { cached_tokens: 64 }, completion_tokens_details: { reasoning_tokens: 20 } };
    for (const stream of [false, true]) {
      const answer = await ask(usage, { stream, model: 'plain' });
      expect(answer.row).toMatchObject({ counts: { input: 100, output: 29 }, estimated: false });
      expectTold(answer);
    }
  });

  it.each<[string, unknown]>([['2⁶³', 2 ** 63], ['-1', -1], ['12.5', 12.5], ['"NaN"', 'NaN'], ['more than the context window', 400_000_000]])(
    'with the side that it says, where the other is %s and is estimated alone',
    async (_, bad) => {
      for (const stream of [false, true]) {
        const noAnswer = await ask({ prompt_tokens: 777, completion_tokens: bad, total_tokens: 790 }, { stream });
        expect(noAnswer.row).toMatchObject({ counts: { input: 777, output: 2 }, estimated: true });
        expectTold(noAnswer);
        const noPrompt = await ask({ prompt_tokens: bad, completion_tokens: 333, completion_tokens_details: { reasoning_tokens: 300 } }, { stream });
        expect(noPrompt.row).toMatchObject({ counts: { output: 33, reasoning: 300 }, estimated: true });
        expect(noPrompt.row.counts['input']).toBeGreaterThan(10);
        expectTold(noPrompt);
      }
    },
  );
});

describe('a stream that breaks off', () => {
  const breakOff = async (usage: object): Promise<Row> => {
    const event = (content: string): string => `data: ${JSON.stringify({ id: 'gen-1', created: 1, model: 'theirs', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content }, finish_reason: null }], usage })}\n\n`;
    const raw = { parts: [event('two '), event('words ')], end: 'reset' };
    const response = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.apiKey}`, ...json },
      body: JSON.stringify({ model: 'classes', stream: true, messages: [{ role: 'user', content: instruct({ raw } as Parameters<typeof instruct>[0]) }] }),
    });
    expect(await response.text()).toContain('upstream_error');
    const id = response.headers.get('x-request-id');
    return (await until('it is settled', async () => (await cluster.sql<Row>('SELECT counts, estimated, outcome, trim_scale(charge)::text AS charge FROM usage WHERE id = $1', [id]))[0]))!;
  };

  it.each<[string, object, Counts]>([
    ['zeros', { prompt_tokens: 0, completion_tokens: 0 }, { input: expect.any(Number), output: expect.any(Number) } as unknown as Counts],
    ['one token of answer', { prompt_tokens: 300, completion_tokens: 1 }, { input: 300, output: expect.any(Number) } as unknown as Counts],
  ])('is not free where every chunk says %s', async (_, usage, counts) => {
    const row = await breakOff(usage);
    expect(row).toMatchObject({ outcome: 'interrupted', estimated: true, counts });
    expect(row.counts['input']).toBeGreaterThan(10);
    expect(row.counts['output']).toBeGreaterThanOrEqual(2);
  });

  it('is billed by what the vendor counted where that is more', async () => {
    expect(await breakOff({ prompt_tokens: 300, completion_tokens: 900, completion_tokens_details: { reasoning_tokens: 880 } })).toMatchObject({ outcome: 'interrupted', estimated: false, counts: { input: 300, output: 20, reasoning: 880 } });
  });
});

describe('behind it all', () => {
  it('every invariant holds', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled({ quarantineExpected: true });
  });
});
