import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ChatCompletionCreateParams, ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { type ChatCompletionRequest, chatCompletionSchema, parseChatCompletion } from './chat-completion.js';
import { messageSchema, messagesSchema } from './chat-message.js';
import { chatWithheldNames } from './extension-parameters.js';
import { ContractError, extensionNames } from '@kilotoken/contracts';

/** Fails to compile when the SDK documents a parameter that the schema does not know. */
type Undocumented = Exclude<keyof ChatCompletionCreateParams, keyof ChatCompletionRequest>;
const nothingUndocumented: [Undocumented] extends [never] ? true : Undocumented = true;

const minimal = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };

const refusalOf = (changes: object): { code: string; param: string | null; message: string } => {
  try {
    parseChatCompletion({ ...minimal, ...changes });
  } catch (error) {
    if (error instanceof ContractError) return { code: error.code, param: error.param, message: error.message };
    throw error;
  }
  throw new Error('the request was accepted');
};

const everything: ChatCompletionCreateParamsNonStreaming = {
  model: 'm',
  messages: [
    { role: 'developer', content: 'Be kind.', name: 'd' },
    { role: 'system', content: [{ type: 'text', text: 'Be brief.', prompt_cache_breakpoint: { mode: 'explicit' } }] },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: 'https://example.com/cat.png', detail: 'low' } },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
        { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
        { type: 'file', file: { file_data: 'aGk=', filename: 'a.pdf' } },
      ],
    },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } },
        { id: 'c2', type: 'custom', custom: { name: 'run', input: 'x' } },
      ],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'a cat' },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }], audio: { id: 'a' } },
    { role: 'assistant', function_call: { name: 'old', arguments: '{}' } },
    { role: 'function', name: 'old', content: null },
  ],
  audio: { format: 'mp3', voice: { id: 'voice_1' } },
  frequency_penalty: -2,
  function_call: { name: 'old' },
  functions: [{ name: 'old', description: 'd', parameters: { type: 'object' } }],
  logit_bias: { '50256': -100 },
  logprobs: true,
  max_completion_tokens: 10,
  max_tokens: 10,
  metadata: { tag: 'a' },
  modalities: ['text', 'audio'],
  moderation: { model: 'omni', policy: { input: { mode: 'score' }, output: null } },
  n: 128,
  parallel_tool_calls: false,
  prediction: { type: 'content', content: [{ type: 'text', text: 'p' }] },
  presence_penalty: 2,
  prompt_cache_key: 'k',
  prompt_cache_options: { mode: 'explicit', ttl: '30m' },
  prompt_cache_retention: '24h',
  reasoning_effort: 'xhigh',
  response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' }, strict: true, description: 'd' } },
  safety_identifier: 's',
  seed: -7,
  service_tier: 'flex',
  stop: ['a', 'b', 'c', 'd'],
  store: true,
  stream: false,
  temperature: 0,
  tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'look' } }] } },
  tools: [
    { type: 'function', function: { name: 'look', description: 'd', parameters: { type: 'object' }, strict: true } },
    { type: 'custom', custom: { name: 'run', format: { type: 'grammar', grammar: { definition: 'x', syntax: 'lark' } } } },
  ],
  top_logprobs: 20,
  top_p: 1,
  user: 'u',
  verbosity: 'low',
  web_search_options: { search_context_size: 'high', user_location: { type: 'approximate', approximate: { city: 'Rome' } } },
};

describe('what is accepted', () => {
  test('every parameter that the SDK documents is accepted and comes out unchanged', () => {
    expect(nothingUndocumented).toBe(true);
    expect(parseChatCompletion(everything)).toEqual(everything);
    const others = new Set<string>([...extensionNames, ...chatWithheldNames, 'usage', 'stream_options']);
    expect(Object.keys(everything).sort()).toEqual(Object.keys(chatCompletionSchema.shape).filter((name) => !others.has(name)).sort());
    expect(parseChatCompletion({ ...minimal, stream: true, stream_options: { include_usage: true, include_obfuscation: false } })).toBeTruthy();
  });

  test('null is an absent parameter, for every optional one', () => {
    const { model, messages, ...optional } = everything;
    const nulls = Object.fromEntries(Object.keys({ ...optional, stream_options: null }).map((key) => [key, null]));
    expect(parseChatCompletion({ model, messages, ...nulls })).toEqual({ model, messages });
  });

  test('an answer may be sent back as the SDK gave it', () => {
    const message = { role: 'assistant', content: 'Hi.', refusal: null, annotations: [{ type: 'url_citation' }], audio: null, tool_calls: null };
    const { messages } = parseChatCompletion({ ...minimal, messages: [message] });
    expect(JSON.parse(JSON.stringify(messages))).toEqual([{ role: 'assistant', content: 'Hi.' }]);
  });

  test('what the quick check of messages accepts, the schema accepts and leaves as it is', () => {
    const part = fc.record({ type: fc.constantFrom('text', 'refusal', 'x'), text: fc.oneof(fc.string(), fc.integer()), refusal: fc.string() }, { requiredKeys: [] });
    const message = fc.record(
      {
        role: fc.constantFrom('developer', 'system', 'user', 'assistant', 'tool', 'function', 'x', 1),
        content: fc.oneof(fc.string(), fc.array(part, { maxLength: 2 }), fc.constantFrom(null, 1, {})),
        name: fc.string(),
        tool_call_id: fc.string(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(message, (value) => {
        const quick = messagesSchema.safeParse([value]);
        const slow = messageSchema.safeParse(value);
        expect(quick.success).toBe(slow.success);
        if (slow.success) expect(quick.data).toEqual([slow.data]);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('what is refused, by name', () => {
  const message = (changes: object) => ({ messages: [{ role: 'user', content: 'a', ...changes }] });
  const parts = (part: unknown) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, part] }] });
  const tool = (name: string) => ({ type: 'function', function: { name } });
  const entries = (count: number, value: unknown) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`, value]));

  test.each<[string, object, string, string]>([
    ['an unknown parameter', { temprature: 1 }, 'unknown_parameter', 'temprature'],
    ['a vendor address', { extra_body: { api_base: 'http://a' } }, 'unknown_parameter', 'extra_body'],
    ['an organization', { organizationId: 'x' }, 'unknown_parameter', 'organizationId'],
    ['no model', { model: undefined }, 'missing_required_parameter', 'model'],
    ['an empty model', { model: '' }, 'string_below_min_length', 'model'],
    ['no messages', { messages: undefined }, 'missing_required_parameter', 'messages'],
    ['null messages', { messages: null }, 'invalid_type', 'messages'],
    ['empty messages', { messages: [] }, 'empty_array', 'messages'],
    ['10,000 messages', { messages: Array(10_000).fill(minimal.messages[0]) }, 'array_above_max_length', 'messages'],
    ['messages that are a text', { messages: 'hello' }, 'invalid_type', 'messages'],
    ['a message that is a text', { messages: ['hello'] }, 'invalid_type', 'messages[0]'],
    ['an unknown role', message({ role: 'robot' }), 'invalid_value', 'messages[0].role'],
    ['no role', message({ role: undefined }), 'missing_required_parameter', 'messages[0].role'],
    ['no content', message({ content: undefined }), 'missing_required_parameter', 'messages[0].content'],
    ['content that is a number', message({ content: 1 }), 'invalid_type', 'messages[0].content'],
    ['content that is an object', message({ content: {} }), 'invalid_type', 'messages[0].content'],
    ['content without parts', message({ content: [] }), 'empty_array', 'messages[0].content'],
    ['an assistant message that says nothing', message({ role: 'assistant', content: undefined }), 'missing_required_parameter', 'messages[0].content'],
    ['a vendor address in a message', message({ api_base: 'x' }), 'unknown_parameter', 'messages[0].api_base'],
    ['a key in an answer', message({ role: 'assistant', api_key: 'x' }), 'unknown_parameter', 'messages[0].api_key'],
    ['an assistant message with a misspelt content', { messages: [{ role: 'assistant', contents: 'a' }] }, 'missing_required_parameter', 'messages[0].content'],
    ['a part that is a text', parts('a'), 'invalid_type', 'messages[0].content[1]'],
    ['an unknown part', parts({ type: 'video' }), 'invalid_value', 'messages[0].content[1].type'],
    ['a text part without text', parts({ type: 'text' }), 'missing_required_parameter', 'messages[0].content[1].text'],
    ['an image at a private address', parts({ type: 'image_url', image_url: { url: 'http://10.0.0.1/a' } }), 'invalid_image_url', 'messages[0].content[1].image_url.url'],
    ['an image in a system message', { messages: [{ role: 'system', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b' } }] }] }, 'invalid_value', 'messages[0].content[0].type'],
    ['a tool message without its call', message({ role: 'tool' }), 'missing_required_parameter', 'messages[0].tool_call_id'],
    ['n of 0', { n: 0 }, 'integer_below_min_value', 'n'],
    ['n of -1', { n: -1 }, 'integer_below_min_value', 'n'],
    ['n of -0', { n: -0 }, 'integer_below_min_value', 'n'],
    ['n of 129', { n: 129 }, 'integer_above_max_value', 'n'],
    ['n beyond 2⁶³', { n: 18446744073686646784 }, 'integer_above_max_value', 'n'],
    ['n with a fraction', { n: 0.1 + 0.2 }, 'invalid_type', 'n'],
    ['n as a text', { n: 'NaN' }, 'invalid_type', 'n'],
    ['n that is NaN', { n: NaN }, 'invalid_type', 'n'],
    ['max_tokens of 0', { max_tokens: 0 }, 'integer_below_min_value', 'max_tokens'],
    ['max_tokens of -1', { max_tokens: -1 }, 'integer_below_min_value', 'max_tokens'],
    ['max_tokens of 2⁵³+1', { max_tokens: 2 ** 53 + 2 }, 'integer_above_max_value', 'max_tokens'],
    ['max_tokens of 1e308', { max_tokens: 1e308 }, 'integer_above_max_value', 'max_tokens'],
    ['max_tokens of infinity', { max_tokens: Infinity }, 'invalid_type', 'max_tokens'],
    ['max_tokens as an array', { max_tokens: [1] }, 'invalid_type', 'max_tokens'],
    ['two limits that differ', { max_tokens: 1, max_completion_tokens: 2 }, 'conflicting_parameters', 'max_tokens'],
    ['a hot temperature', { temperature: 2.1 }, 'decimal_above_max_value', 'temperature'],
    ['top_p below zero', { top_p: -0.1 }, 'decimal_below_min_value', 'top_p'],
    ['five stops', { stop: ['a', 'b', 'c', 'd', 'e'] }, 'array_above_max_length', 'stop'],
    ['an empty stop', { stop: [''] }, 'string_below_min_length', 'stop[0]'],
    ['a stop of the wrong type', { stop: 1 }, 'invalid_type', 'stop'],
    ['stream_options without stream', { stream_options: { include_usage: true } }, 'conflicting_parameters', 'stream_options'],
    ['stream_options of an unknown kind', { stream: true, stream_options: { all: 1 } }, 'unknown_parameter', 'stream_options.all'],
    ['top_logprobs without logprobs', { top_logprobs: 1 }, 'conflicting_parameters', 'top_logprobs'],
    ['a forced tool without tools', { tool_choice: 'required' }, 'conflicting_parameters', 'tool_choice'],
    ['a forced function without functions', { function_call: { name: 'f' } }, 'conflicting_parameters', 'function_call'],
    ['129 tools', { tools: Array(129).fill(tool('a')) }, 'array_above_max_length', 'tools'],
    ['a tool with a bad name', { tools: [tool('a b')] }, 'invalid_value', 'tools[0].function.name'],
    ['a tool of an unknown type', { tools: [{ type: 'browser' }] }, 'invalid_value', 'tools[0].type'],
    ['a schema that is a text', { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: 'x' } } }, 'invalid_type', 'response_format.json_schema.schema'],
    ['an unknown format', { response_format: { type: 'xml' } }, 'invalid_value', 'response_format.type'],
    ['10⁶ biases', { logit_bias: entries(1_000_000, 1) }, 'object_above_max_properties', 'logit_bias'],
    ['a bias above 100', { logit_bias: { 5: 101 } }, 'decimal_above_max_value', 'logit_bias.5'],
    ['a bias of a word', { logit_bias: { cat: 1 } }, 'invalid_value', 'logit_bias.cat'],
    ['17 tags', { metadata: entries(17, 'a') }, 'object_above_max_properties', 'metadata'],
    ['a long tag name', { metadata: { ['k'.repeat(65)]: 'a' } }, 'string_above_max_length', `metadata.${'k'.repeat(65)}`],
    ['a long tag', { metadata: { k: 'v'.repeat(513) } }, 'string_above_max_length', 'metadata.k'],
    ['a tag that is a number', { metadata: { k: 1 } }, 'invalid_type', 'metadata.k'],
    ['a user of 10 KB', { user: 'u'.repeat(10_240) }, 'string_above_max_length', 'user'],
    ['audio asked for without a voice', { modalities: ['audio'] }, 'conflicting_parameters', 'audio'],
    ['an unknown tier', { service_tier: 'gold' }, 'invalid_value', 'service_tier'],
  ])('%s', (_name, changes, code, param) => {
    expect(refusalOf(changes)).toMatchObject({ code, param });
  });

  test.each([[null], [undefined], [[]], ['x'], [1]])('a body that is %p is refused', (body) => {
    expect(() => parseChatCompletion(body)).toThrow(ContractError);
  });

  test('a refusal quotes no long text of the request', () => {
    const secret = 'secret '.repeat(20);
    for (const changes of [{ service_tier: secret }, { messages: [{ role: secret, content: '' }] }, { stop: [secret, 1] }, { n: secret }]) {
      expect(refusalOf(changes).message).not.toContain('secret');
    }
  });

  const keys = Object.keys(everything) as (keyof typeof everything)[];

  test('no body, however wrong, raises anything but a ContractError', () => {
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 4 }), (key, value) => {
        try {
          parseChatCompletion({ ...everything, [key]: value });
        } catch (error) {
          expect(error).toBeInstanceOf(ContractError);
          expect((error as ContractError).message.length).toBeLessThan(600);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('a body is read as its schema reads it, but for nulls', () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(0, 1, true, 'auto', ['a'], {}));
    fc.assert(
      fc.property(fc.subarray(keys), fc.constantFrom(...keys, 'unknown'), value, (kept, key, changed) => {
        const body = { ...minimal, ...Object.fromEntries(kept.map((name) => [name, everything[name]])), [key]: changed };
        const said = chatCompletionSchema.safeParse(body);
        if (!said.success) expect(() => parseChatCompletion(body)).toThrow(ContractError);
        else expect(parseChatCompletion(body)).toStrictEqual(Object.fromEntries(Object.entries(said.data).filter(([, read]) => read !== null)));
      }),
      { numRuns: 2000 },
    );
  });
});
