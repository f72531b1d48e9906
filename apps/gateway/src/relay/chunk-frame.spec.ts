import { describe, expect, it } from '@jest/globals';
import { publicAnswer } from '@kilotoken/openai';
import fc from 'fast-check';
import { createChunkWriter, frameOf, parseChunk, readFramed, type StreamChunk } from './chunk-frame.js';
import { createEventReader } from './event-reader.js';

const own = { id: 'chatcmpl-ours', model: 'ours', usage: undefined };
const first = '{"id":"theirs","object":"chat.completion.chunk","created":7,"model":"theirs","choices":[{"index":0,"delta":{"content":"Hi"}}]}';

/** What a client gets of a stream's chunks, parsed: `usage` is left out. */
const forward = (texts: readonly string[]): unknown[] => {
  const reader = createEventReader();
  const writer = createChunkWriter(own);
  const sent = texts.flatMap((text) => reader.feed(Buffer.from(`data: ${text}\n\n`))).map(({ chunk, framed }) => (framed ? writer.framed(framed) : writer.whole(chunk)));
  for (const text of sent) expect(text).not.toContain('\n');
  return sent.map((text) => JSON.parse(text) as unknown);
};

const wholly = (texts: readonly string[]): unknown[] =>
  texts.map((text) => JSON.parse(JSON.stringify({ ...publicAnswer(JSON.parse(text) as StreamChunk), ...own })) as unknown);

describe('a chunk with a frame', () => {
  it('is told apart into what repeats and its choices', () => {
    const frame = frameOf(first)!;
    const next = first.replace('"Hi"', '"there"');
    expect(readFramed(frame, next)?.choices).toEqual([{ index: 0, delta: { content: 'there' } }]);
    expect(frame.head + frame.tail).toBe(first.replace('{"index":0,"delta":{"content":"Hi"}}', ''));
  });

  it('reaches the client as if it had been read whole, whatever fields stand where', () => {
    const field = fc.constantFrom('id', 'model', 'object', 'created', 'system_fingerprint', 'provider', 'x"choices', 'é\u2028', '7', 'nested');
    const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant([]), fc.constant({ choices: [1] }), fc.constant('"choices":['));
    const choices = fc.array(fc.record({ index: fc.nat({ max: 2 }), delta: fc.record({ content: fc.string({ unit: 'binary' }) }) }), { maxLength: 3 });
    const fields = fc.dictionary(field, value, { maxKeys: 6 });
    fc.assert(
      fc.property(fields, fields, fc.array(choices, { minLength: 1, maxLength: 6 }), (before, after, answers) => {
        const texts = answers.map((list) => JSON.stringify({ ...before, choices: list, ...after }));
        expect(forward(texts)).toEqual(wholly(texts));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['other fields than before', first.replace('"created":7', '"created":8')],
    ['a usage beside its choices', first.replace(']}', '],"usage":{"prompt_tokens":3}}')],
    ['more fields', first.replace(']}', '],"service_tier":"default"}')],
    ['no choices', first.replace(/\[.*\]/, '[]')],
    ['spaces between its tokens', first.replaceAll(':', ' : ')],
  ])('one with %s is read for what it says', (_name, text) => {
    expect(forward([first, text, first])).toEqual(wholly([first, text, first]));
  });

  it('a text that closes the list and goes on is no list of choices', () => {
    const text = first.replace('{"index":0,"delta":{"content":"Hi"}}', '],"usage":{"prompt_tokens":9},"choices":[');
    expect(readFramed(frameOf(first)!, text)).toBeNull();
    expect(forward([first, text])[1]).toEqual(JSON.parse(JSON.stringify({ ...publicAnswer(parseChunk(text)!), ...own })));
  });

  it('an event over several lines stays one event', () => {
    const lines = '{"id":"theirs",\ndata: "choices":[{"index":0,\ndata: "delta":{}}]}';
    expect(forward([first, lines])[1]).toEqual({ id: own.id, model: own.model, choices: [{ index: 0, delta: {} }] });
  });
});

describe('no frame is made', () => {
  it.each([
    ['of an error', '{"error":{"message":"no"},"choices":[]}'],
    ["of vLLM's error", '{"object":"error","choices":[]}'],
    ['of a usage', '{"choices":[],"usage":{"prompt_tokens":1}}'],
    ['without choices', '{"id":"c"}'],
    ['where another list has the place of the choices', '{"choices":null,"x\\"choices":[1]}'],
    ['of what is no JSON', '{"choices":[],,}'],
  ])('%s', (_name, text) => expect(frameOf(text)).toBeNull());
});

describe('the reader of events', () => {
  it('drops a byte order mark before the first event and keeps it in a text', () => {
    const reader = createEventReader();
    const text = first.replace('Hi', '\ufeff');
    expect(reader.feed(Buffer.from(`\ufeffdata: ${text}\n\n`)).map(({ chunk }) => chunk)).toEqual([JSON.parse(text)]);
  });

  it('reads characters that are split over reads at every byte', () => {
    const reader = createEventReader();
    const text = first.replace('Hi', 'h\u00e9\u20ac\u{1f600}');
    const bytes = Buffer.from(`data: ${text}\n\n`);
    const events = [...bytes].flatMap((byte) => reader.feed(Buffer.from([byte])));
    expect(events.map(({ chunk }) => chunk)).toEqual([JSON.parse(text)]);
  });
});
