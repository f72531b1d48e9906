import { describe, expect, test } from '@jest/globals';
import { Template } from '@huggingface/jinja';
import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { parseChatCompletion } from './chat-completion.js';
import { parseCompletion } from './completion.js';
import { predictionTokensBound, promptTokensBounds, type TemplateOverhead } from './prompt-bound.js';
import { isAscii, utf8Length } from '@kilotoken/contracts';

const encoder = new TextEncoder();
const bytesOf = (text: string): number => encoder.encode(text).length;
const none: TemplateOverhead = { tokensPerMessage: 0, tokensPerPart: 0, tokensPerTool: 0, tokensForTools: 0, tokensFixed: 0 };

const chat = (changes: object) => parseChatCompletion({ model: 'm', messages: [{ role: 'user', content: 'a' }], ...changes });
const boundOf = (changes: object, overhead?: TemplateOverhead): number => {
  const [bound] = promptTokensBounds(chat(changes), overhead);
  if (bound === undefined || !Number.isFinite(bound)) throw new Error('there is something that is not text');
  return bound;
};
const said = (content: unknown, role = 'user', more: object = {}) => ({ messages: [{ role, content, ...more }] });

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));

test('the length of a text in UTF-8 is what an encoder makes of it, lone surrogates included', () => {
  const text = fc.oneof(anyText, fc.array(fc.constantFrom('a', 'é', '語', '😀', '\ud83d', '\ude00')).map((list) => list.join('')));
  fc.assert(
    fc.property(text, (value) => {
      expect(utf8Length(value)).toBe(bytesOf(value));
      expect(isAscii(value)).toBe(value.length === bytesOf(value));
    }),
    { numRuns: 3000 },
  );
});

describe('the bound of a prompt', () => {
  test('no text has more tokens than its bound, in any normal form', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const bound = boundOf(said(text), none);
        for (const form of [text, text.normalize('NFC'), text.normalize('NFKC')]) {
          expect(encode(form, { disallowedSpecial: new Set() }).length).toBeLessThanOrEqual(bound);
          expect(bytesOf(form)).toBeLessThanOrEqual(bound);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('characters that a normal form makes longer are counted at that length', () => {
    const ligature = '\ufdfa'; // 3 bytes, 33 in NFKC.
    expect(boundOf(said(ligature.repeat(10)), none)).toBe(330);
    const musical = '\u{1d160}'; // 4 bytes, 12 in NFC.
    expect(boundOf(said(musical), none)).toBe(12);
  });

  test('what a template prints as JSON is within the bound: tools with indentation, calls and results in one line', () => {
    const template = new Template(
      '{{ tools | tojson(indent=4) }}{% for m in messages %}{{ m.content | tojson }}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}',
    );
    const schema = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }));
    fc.assert(
      fc.property(schema, anyText, anyText, (parameters, result, written) => {
        fc.pre(!('__proto__' in parameters && Object.hasOwn(parameters, '__proto__')));
        const tools = [{ type: 'function', function: { name: 'f', parameters } }];
        const messages = [
          { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: written } }] },
          { role: 'tool', tool_call_id: 'c', content: result },
        ];
        const printed = template.render({ tools, messages: [{ content: '', tool_calls: messages[0]!.tool_calls }, { content: result, tool_calls: [] }] } as never);
        // The quotes around each printed string are the template's, so its overhead's.
        expect(bytesOf(printed) - 6).toBeLessThanOrEqual(boundOf({ tools, messages }, none));
      }),
      { numRuns: 500 },
    );
  });

  test('arguments that are parsed and printed again are within the bound', () => {
    const written = '[1,1,1e15,{"a":1}]';
    const printedByPython = '[1, 1, 1000000000000000.0, {"a": 1}]';
    const messages = [{ role: 'assistant', tool_calls: [{ id: '', type: 'function', function: { name: '', arguments: written } }] }];
    expect(printedByPython.length).toBeLessThanOrEqual(boundOf({ messages }, none));
  });

  test('every string that reaches the lane counts', () => {
    const x = 'x'.repeat(1000);
    for (const changes of [
      said(x),
      said(x, 'system'),
      said('a', 'user', { name: x }),
      said([{ type: 'text', text: x }]),
      said([{ type: 'refusal', refusal: x }], 'assistant'),
      said('a', 'assistant', { refusal: x }),
      said('a', 'assistant', { reasoning_content: x }),
      said('a', 'assistant', { reasoning: x }),
      said('a', 'assistant', { reasoning_details: [{ type: 'reasoning.encrypted', data: x }] }),
      said('a', 'assistant', { thinking_blocks: [{ type: 'thinking', thinking: x }] }),
      said('a', 'assistant', { extra_content: { google: { thought_signature: x } } }),
      said('a', 'assistant', { provider_specific_fields: { x } }),
      said('a', 'assistant', { audio: { id: 'a', transcript: x } }),
      said('a', 'assistant', { tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '' }, extra_content: { x } }] }),
      said('a', 'assistant', { function_call: { name: 'f', arguments: x } }),
      said('a', 'assistant', { tool_calls: [{ id: 'c', type: 'function', function: { name: x, arguments: '' } }] }),
      said('a', 'assistant', { tool_calls: [{ id: x, type: 'custom', custom: { name: 'f', input: '' } }] }),
      said('a', 'assistant', { tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'f', input: x } }] }),
      said(x, 'tool', { tool_call_id: 'c' }),
      said('a', 'tool', { tool_call_id: x }),
      said(x, 'function', { name: 'f' }),
      { tools: [{ type: 'function', function: { name: 'f', description: x } }] },
      { tools: [{ type: 'custom', custom: { name: 'f', description: x } }] },
      { functions: [{ name: 'f', description: x }] },
      { tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: { type: 'function', function: { name: x } } },
      { response_format: { type: 'json_schema', json_schema: { name: 's', schema: { title: x } } } },
      { documents: [{ title: 't', text: x }] },
      { chat_template_kwargs: { system: x } },
      { guided_json: { title: x } },
      { guided_json: JSON.stringify({ title: x }) },
      { guided_choice: [x] },
      { guided_regex: x },
      { guided_grammar: x },
      { structured_outputs: { regex: x } },
      { regex: x },
      { ebnf: x },
      { grammar: x },
    ]) {
      expect(boundOf(changes, none)).toBeGreaterThanOrEqual(1000);
    }
  });

  test('the overhead of the template is added by message, part, tool and once', () => {
    const overhead: TemplateOverhead = { tokensPerMessage: 1000, tokensPerPart: 100, tokensPerTool: 0, tokensForTools: 0, tokensFixed: 10 };
    expect(boundOf(said('abc'), overhead)).toBe(1013);
    expect(boundOf(said([{ type: 'text', text: 'abc' }, { type: 'text', text: '' }]), overhead)).toBe(1213);
    expect(boundOf({})).toBe(64 + 16 + 1);
  });

  test('an argument of the template counts with every message, since a template may print it there', () => {
    const template = new Template('{% for m in messages %}{{ note }}{{ m.content }}{% endfor %}{{ note }}');
    const messages = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, { role: 'user', content: 'c' }];
    const note = 'x'.repeat(500);
    expect(bytesOf(template.render({ messages, note }))).toBeLessThanOrEqual(boundOf({ messages, chat_template_kwargs: { note } }, none));
  });

  test('what is not text is left out', () => {
    const image = { type: 'image_url', image_url: { url: `https://a.example/${'b'.repeat(1000)}` } };
    const request = chat(said([image, { type: 'text', text: 'abc' }, image]));
    expect(promptTokensBounds(request, { ...none, tokensPerPart: 100 })).toEqual([303]);
  });

  test('each legacy prompt has a bound of its own, the suffix with each', () => {
    const bounds = (changes: object) => promptTokensBounds(parseCompletion({ model: 'm', prompt: 'abc', ...changes }));
    expect(bounds({})).toEqual([3 + 8]);
    expect(bounds({ prompt: ['abc', 'é'], suffix: 'xy' })).toEqual([3 + 8 + 2, 2 + 8 + 2]);
  });

  test('what a prediction may add to the output is bounded by its bytes, for each choice', () => {
    expect(predictionTokensBound(chat({}))).toBe(0);
    expect(predictionTokensBound(chat({ n: 2, prediction: { type: 'content', content: [{ type: 'text', text: 'né' }] } }))).toBe(6);
  });
});
