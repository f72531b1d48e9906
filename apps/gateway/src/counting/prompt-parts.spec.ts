import { describe, expect, it } from '@jest/globals';
import { promptPartsOf } from './prompt-parts.js';

const textOf = (request: object): string => promptPartsOf(request).texts.join('\n');
const chat = (...messages: object[]) => ({ model: 'm', messages });

describe('the parts of a prompt', () => {
  it.each<[string, object, string]>([
    ['a plain message', { role: 'user', content: 'said' }, 'said'],
    ['parts of text', { role: 'user', content: [{ type: 'text', text: 'said' }] }, 'said'],
    ['a name', { role: 'user', content: 'x', name: 'said' }, 'said'],
    ['a refusal', { role: 'assistant', refusal: 'said' }, 'said'],
    ['a refusal among parts', { role: 'assistant', content: [{ type: 'refusal', refusal: 'said' }] }, 'said'],
    ['the name of a call', { role: 'assistant', tool_calls: [{ id: '1', type: 'function', function: { name: 'said', arguments: '' } }] }, 'said'],
    ['the arguments of a call', { role: 'assistant', tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{"a":"said"}' } }] }, '{"a":"said"}'],
    ['the input of a custom call', { role: 'assistant', tool_calls: [{ id: '1', type: 'custom', custom: { name: 'f', input: 'said' } }] }, 'said'],
    ['an older call', { role: 'assistant', function_call: { name: 'f', arguments: 'said' } }, 'said'],
    ['what a tool answered', { role: 'tool', tool_call_id: '1', content: 'said' }, 'said'],
    ['a thought', { role: 'assistant', content: 'x', reasoning_content: 'said' }, 'said'],
    ['a thought under its other name', { role: 'assistant', content: 'x', reasoning: 'said' }, 'said'],
    ['a thought in details', { role: 'assistant', content: 'x', reasoning_details: [{ type: 'reasoning.text', text: 'said' }, { type: 'reasoning.summary', summary: 'shortly' }] }, 'said\nshortly'],
    ['a thought among parts', { role: 'assistant', content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'said' }] }] }, 'said'],
    ['the name of a file', { role: 'user', content: [{ type: 'file', file: { filename: 'said', file_data: 'AAAA' } }] }, 'said'],
  ])('have the text of %s', (_name, message, text) => {
    expect(textOf(chat(message))).toContain(text);
  });

  it('have a thought once that is sent under several names', () => {
    expect(textOf(chat({ role: 'assistant', content: 'x', reasoning: 'said', reasoning_content: 'said', reasoning_details: [{ text: 'said' }] }))).toBe('said\nx');
  });

  const schema = { type: 'object', properties: { city: { type: 'string', description: 'where it rains' } } };
  it.each<[string, object]>([
    ['tools', { tools: [{ type: 'function', function: { name: 'weather', parameters: schema } }] }],
    ['older functions', { functions: [{ name: 'weather', parameters: schema }] }],
    ['the schema of the answer', { response_format: { type: 'json_schema', json_schema: { name: 'weather', schema } } }],
  ])('have %s as JSON', (_name, fields) => {
    expect(textOf({ ...chat({ role: 'user', content: 'x' }), ...fields })).toContain(JSON.stringify(schema));
  });

  it('have every prompt of a legacy completion, each with the suffix', () => {
    expect(promptPartsOf({ prompt: ['one', 'two'], suffix: 'end' }).texts).toEqual(['one', 'end', 'two', 'end']);
    expect(promptPartsOf({ prompt: 'one' })).toMatchObject({ texts: ['one'], tokens: 0 });
  });

  it('count what a template adds to each message, name and call, and before the answer', () => {
    expect(promptPartsOf(chat({ role: 'user', content: 'x' })).tokens).toBe(7);
    expect(promptPartsOf(chat({ role: 'user', content: 'x', name: 'n' }, { role: 'assistant', content: 'y' })).tokens).toBe(12);
    expect(promptPartsOf(chat({ role: 'assistant', tool_calls: [{ function: { name: 'f' } }, { function: { name: 'f' } }] })).tokens).toBe(15);
  });

  it('count images, the bytes of sound and of files, and say where only the bound is known', () => {
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const sound = { type: 'input_audio', input_audio: { format: 'wav', data: 'A'.repeat(21_334) } };
    const file = { type: 'file', file: { file_data: 'A'.repeat(4_000) } };
    expect(promptPartsOf(chat({ role: 'user', content: [image, image, sound, file] }))).toEqual({ texts: [], tokens: 7 + 1_500, images: 2, audioTokens: 11, isUnbounded: false });
    expect(promptPartsOf(chat({ role: 'user', content: [{ type: 'file', file: { file_id: 'f' } }] })).isUnbounded).toBe(true);
    expect(promptPartsOf(chat({ role: 'assistant', audio: { id: 'a' } })).isUnbounded).toBe(true);
    expect(promptPartsOf({ ...chat({ role: 'user', content: 'x' }), web_search_options: {} }).tokens).toBe(7 + 8_000);
  });

  it('are read from any JSON without an error', () => {
    for (const odd of [{}, { messages: 'x' }, { messages: [null, 1, [], { content: 5, tool_calls: {} }, { content: [null, { text: [[{ text: 'x' }]] }] }] }, { prompt: [1, null, 'x'] }, { tools: 'x', messages: [] }]) {
      expect(() => promptPartsOf(odd)).not.toThrow();
    }
  });
});
