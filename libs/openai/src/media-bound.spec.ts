import { expect, test } from '@jest/globals';
import { parseChatCompletion } from './chat-completion.js';
import { mediaOf } from './media-bound.js';

const media = (changes: object) => mediaOf(parseChatCompletion({ model: 'm', messages: [{ role: 'user', content: 'a' }], ...changes }));
const said = (content: unknown, role = 'user', more: object = {}) => ({ messages: [{ role, content, ...more }] });
const image = { type: 'image_url', image_url: { url: 'https://a.example/b' } };
const data = 'a'.repeat(16_000);

test('a text alone is bounded', () => {
  expect(media({})).toEqual({ images: 0, tokens: 0, isBounded: true });
  expect(media(said([{ type: 'text', text: 'a' }]))).toEqual({ images: 0, tokens: 0, isBounded: true });
  expect(media(said([{ type: 'refusal', refusal: 'no' }], 'assistant'))).toEqual({ images: 0, tokens: 0, isBounded: true });
});

test('images are counted, and bounded unless the request sets how they are cut', () => {
  expect(media(said([image, { type: 'text', text: 'a' }, image]))).toEqual({ images: 2, tokens: 0, isBounded: true });
  expect(media({ ...said([image]), mm_processor_kwargs: { min_pixels: 10_000_000 } })).toEqual({ images: 1, tokens: 0, isBounded: false });
});

test.each<[string, object, number]>([
  ['sound as WAV, by its bytes', said([{ type: 'input_audio', input_audio: { data, format: 'wav' } }]), 7.5],
  ['sound as MP3, by its bytes', said([{ type: 'input_audio', input_audio: { data, format: 'mp3' } }]), 30],
  ['a file, by its bytes', said([{ type: 'file', file: { file_data: data } }]), 6_000],
  ['a file of the vendor', said([{ type: 'file', file: { file_id: 'a' } }]), Infinity],
  ['a file at an address', said([{ type: 'file', file: { file_data: 'https://a.example/b.pdf' } }]), Infinity],
  ['earlier sound', said('a', 'assistant', { audio: { id: 'a' } }), Infinity],
  ['a web search, as a block', { web_search_options: {} }, 8_000],
])('only the context window is proven to bound %s', (_name, changes, tokens) => {
  expect(media(changes)).toEqual({ images: 0, tokens, isBounded: false });
});
