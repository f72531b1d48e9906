import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { ClientLog, type ChatOptions, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { instruct, type VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * What a request is billed by whose vendor gave no counts: a client chooses that by leaving after the first word, so the
 * estimate must not be cheaper than what was sent and delivered. Truths are the tokenizer's library's own counts.
 */
const IMAGE_TOKENS = 1_000;

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  const capabilities = ['tools', 'functions', 'response_format', 'image_input', 'audio_input', 'file_input', 'penalties'];
  cluster = await startCluster({
    models: [
      { model: 'mock', imageTokens: IMAGE_TOKENS, contextWindow: 1_000_000, maxOutputTokens: 100_000, lanes: [{ baseUrl: vendor.baseUrl, capabilities }] },
      { model: 'small', contextWindow: 16_000, lanes: [{ baseUrl: vendor.baseUrl, capabilities }] },
      { model: 'thinker', sale: { input: '1', output: '2', reasoning: '3' }, lanes: [{ baseUrl: vendor.baseUrl, capabilities, tokenClasses: ['input', 'output', 'reasoning'] }] },
    ],
    grants: ['1000'],
  });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

interface Usage {
  outcome: string;
  estimated: boolean;
  counts: Record<string, number>;
  charge: string;
  hold: string;
}

const usageOf = ({ requestId }: ClientLogEntry): Promise<Usage> =>
  until(`${requestId} is settled`, async () => {
    const rows = await cluster.sql<Usage>('SELECT outcome, estimated, counts, trim_scale(charge)::text AS charge, trim_scale(hold)::text AS hold FROM usage WHERE id = $1 ORDER BY attempt DESC', [requestId]);
    return rows[0];
  });

/** Sends messages and more, reads the first word of the answer and leaves. */
const leave = async (messages: object[], more: object = {}, options: Partial<ChatOptions> = {}): Promise<Usage> => {
  const script: VendorScript = { outputTokens: 200, chunkDelayMs: 50 };
  const entry = await client.chat({
    baseUrl: cluster.gatewayUrls[0]!,
    apiKey: cluster.apiKey,
    stream: true,
    abortAfterChunks: 1,
    body: { messages: [...messages, { role: 'user', content: instruct(script) }], ...more },
    ...options,
  });
  expect(entry).toMatchObject({ aborted: true, chunks: 1 });
  const usage = await usageOf(entry);
  expect(usage).toMatchObject({ outcome: 'client_closed', estimated: true });
  expect(Number(usage.charge)).toBeGreaterThan(0);
  expect(Number(usage.charge)).toBeLessThanOrEqual(Number(usage.hold));
  return usage;
};

const sentence = (index: number): string => `Tool ${index} looks up the weather, the rainfall and the wind of a place on a given day and says them in words. `;
const tools = Array.from({ length: 100 }, (_, index) => ({
  type: 'function',
  function: {
    name: `tool_${index}`,
    description: sentence(index).repeat(6),
    parameters: { type: 'object', properties: { city: { type: 'string', description: sentence(index) }, day: { type: 'string', enum: ['today', 'tomorrow'] } }, required: ['city'] },
  },
}));
const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } };

describe('a client that leaves after the first word', () => {
  /** What was sent beside the instruction, and its true tokens. Nothing may be counted below it, nor much above. */
  const cases: [string, object[], object, number][] = [
    ['100 tools', [], { tools }, countTokens(JSON.stringify(tools))],
    ['a schema for the answer', [], { response_format: { type: 'json_schema', json_schema: { name: 'all', schema: { type: 'object', properties: { a: { type: 'string', description: sentence(1).repeat(50) } } } } } }, countTokens(sentence(1).repeat(50))],
    [
      'long tool calls and their results',
      [
        { role: 'user', content: 'Look it up.' },
        { role: 'assistant', tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'lookup', arguments: JSON.stringify({ text: sentence(1).repeat(100) }) } }] },
        { role: 'tool', tool_call_id: 'call_1', content: sentence(2).repeat(100) },
      ],
      { tools: tools.slice(0, 1) },
      countTokens(sentence(1).repeat(100)) + countTokens(sentence(2).repeat(100)),
    ],
    ['thoughts that were sent back', [{ role: 'user', content: 'x' }, { role: 'assistant', content: 'y', reasoning_content: sentence(3).repeat(100) }], {}, countTokens(sentence(3).repeat(100))],
    ['a body that threads read', [{ role: 'user', content: sentence(4).repeat(4_000) }], {}, countTokens(sentence(4).repeat(4_000))],
    ['a large body without spaces', [{ role: 'user', content: '的一是在不了有和人这'.repeat(6_000) }], {}, 6_000 * countTokens('的一是在不了有和人这')],
  ];
  it.each(cases)('pays for %s', async (_name, messages, more, truth) => {
    const { counts } = await leave(messages, more);
    expect(counts['input']).toBeGreaterThanOrEqual(truth * 0.98);
    expect(counts['input']).toBeLessThanOrEqual(truth * 1.05 + 400);
    expect(counts['output']).toBeGreaterThanOrEqual(1);
  });

  it('pays for each image at the bound of the model', async () => {
    const { counts } = await leave([{ role: 'user', content: Array.from({ length: 50 }, () => image) }]);
    expect(counts['input']).toBeGreaterThanOrEqual(50 * IMAGE_TOKENS);
    expect(counts['input']).toBeLessThanOrEqual(50 * IMAGE_TOKENS + 200);
  });

  it('pays for no more than the hold was made for', async () => {
    const { counts } = await leave([{ role: 'user', content: Array.from({ length: 50 }, () => image) }], {}, { model: 'small' });
    expect(counts['input']).toBe(16_000);
  });

  it('pays for the sound and the files that it sent', async () => {
    const sound = { type: 'input_audio', input_audio: { format: 'wav', data: 'A'.repeat(40_000) } };
    const file = { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${'A'.repeat(40_000)}` } };
    const { counts } = await leave([{ role: 'user', content: [sound, file] }]);
    expect(counts['input']).toBeGreaterThan(15_000);
  });
});

/** A stream of these deltas that says no usage. */
const stream = async (deltas: object[], model: string): Promise<Usage> => {
  const chunk = (delta: object, finish: string | null): string =>
    `data: ${JSON.stringify({ id: 'v-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const parts = [...deltas.map((delta) => chunk(delta, null)), chunk({}, 'stop'), 'data: [DONE]\n\n'];
  const entry = await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream: true, model, body: { messages: [{ role: 'user', content: instruct({ raw: { parts } }) }] } });
  expect(entry).toMatchObject({ completed: true });
  return usageOf(entry);
};

describe('an answer whose vendor says no usage', () => {
  const thought = sentence(5).repeat(20);
  const call = JSON.stringify({ text: sentence(6).repeat(200) });

  it('is billed for the names and arguments of its calls', async () => {
    const cut = call.match(/.{1,400}/gs)!;
    const deltas = cut.map((text, index) => ({ tool_calls: [{ index: 0, ...(index === 0 ? { id: 'c', type: 'function' } : {}), function: { ...(index === 0 ? { name: 'write' } : {}), arguments: text } }] }));
    const { counts, estimated } = await stream(deltas, 'mock');
    expect([estimated, counts['output']]).toEqual([true, countTokens(`write${call}`)]);
  });

  it('is billed for thoughts in their class where the lane has it, else as output', async () => {
    const deltas = [{ reasoning_content: thought }, { content: 'Yes.' }, { refusal: ' No.' }];
    expect((await stream(deltas, 'thinker')).counts).toMatchObject({ reasoning: countTokens(thought), output: countTokens('Yes. No.') });
    expect((await stream(deltas, 'mock')).counts['output']).toBe(countTokens(thought) + countTokens('Yes. No.'));
  });

  it('is billed in full where it is longer than what is kept of a stream', async () => {
    const words = sentence(7).repeat(10);
    const deltas = Array.from({ length: 120 }, () => ({ content: words }));
    expect((await stream(deltas, 'mock')).counts['output']).toBe(countTokens(words.repeat(120)));
  });
});

describe('behind it all', () => {
  it('every invariant holds', async () => {
    await cluster.expectSettled();
  });
});
