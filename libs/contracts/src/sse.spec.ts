import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createSseDecoder, SseOverflowError, type SseEvent } from './sse.js';

const encoder = new TextEncoder();
const limits = { eventLengthMax: 1000 };

const decode = (chunks: readonly Uint8Array[], eventLengthMax = limits.eventLengthMax): SseEvent[] => {
  const decoder = createSseDecoder({ eventLengthMax });
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
};
const decodeText = (text: string): SseEvent[] => decode([encoder.encode(text)]);
const dataOf = (text: string): string[] => decodeText(text).map(({ data }) => data);

/** The standard's algorithm, written down naively over the whole text. */
const reference = (bytes: Uint8Array): SseEvent[] => {
  const events: SseEvent[] = [];
  let data: string[] = [];
  let event = '';
  const dispatch = (): void => {
    if (data.length > 0) events.push({ event, data: data.join('\n') });
    data = [];
    event = '';
  };
  for (const line of new TextDecoder().decode(bytes).split(/\r\n|\r|\n/)) {
    if (line === '') dispatch();
    const [, field = '', value = ''] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? [];
    if (line !== '' && field === 'data') data.push(value);
    if (field === 'event') event = value;
  }
  dispatch();
  return events;
};

describe('events', () => {
  test.each<[string, string, string[]]>([
    ['LF', 'data: a\n\ndata: b\n\n', ['a', 'b']],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['CR', 'data: a\r\rdata: b\r\r', ['a', 'b']],
    ['no space after the colon', 'data:a\n\ndata:[DONE]\n\n', ['a', '[DONE]']],
    ['one space is taken, not two', 'data:  a\n\n', [' a']],
    ['several lines of data', 'data: a\ndata:b\ndata\ndata: c\n\n', ['a\nb\n\nc']],
    ['empty data', 'data:\n\ndata\n\n', ['', '']],
    ['comments', ': ping\n\ndata: a\n: ping\ndata: b\n\n:\n\n', ['a\nb']],
    ['a byte order mark, once', '\ufeffdata: \ufeffa\n\n', ['\ufeffa']],
    ['unknown fields', 'id: 1\nretry: 5\nfoo\ndata: a\ndatax: b\n\n', ['a']],
    ['a last event without its blank line', 'data: a\n\ndata: b\n', ['a', 'b']],
    ['a last event without a line end', 'data: a\n\ndata: b', ['a', 'b']],
    ['blank lines alone', '\n\n\r\n\n', []],
    ['nothing', '', []],
    ['characters of every length', 'data: aé語😀\n\n', ['aé語😀']],
    ['separators that end no line', 'data: a\u2028b\u0085c\u000bd\n\n', ['a\u2028b\u0085c\u000bd']],
  ])('%s', (_name, text, data) => {
    expect(dataOf(text)).toEqual(data);
    expect(decodeText(text)).toEqual(reference(encoder.encode(text)));
  });

  test('the name of an event is its own', () => {
    expect(decodeText('event: a\ndata: 1\n\ndata: 2\n\nevent:b\nevent\ndata: 3\n\nevent: c\n\ndata: 4\n\n')).toEqual([
      { event: 'a', data: '1' },
      { event: '', data: '2' },
      { event: '', data: '3' },
      { event: '', data: '4' },
    ]);
  });
});

describe('chunks', () => {
  const stream = encoder.encode(
    '\ufeff: hello\r\n\r\ndata: {"a":"é語😀"}\r\n\r\nevent: x\rdata:1\rdata: 2\r\rdata: b\n\n\ndata: c\r\n\ndata: last',
  );

  test('a stream split at any byte, or at any two, gives the same events', () => {
    const whole = decode([stream]);
    expect(whole).toEqual(reference(stream));
    expect(whole).toHaveLength(5);
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        expect(decode([stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)])).toEqual(whole);
      }
    }
  });

  test('a stream that arrives byte by byte gives the same events', () => {
    expect(decode([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(decode([stream]));
  });

  test('any bytes, cut anywhere, give the events of the standard', () => {
    const piece = fc.constantFrom('data', ':', ' ', '\n', '\r', '\r\n', '\n\n', 'event', 'a', 'é', '😀', '\ufeff', 'data: x\n\n', 'id: 1\n');
    const bytes = fc
      .array(fc.oneof({ weight: 9, arbitrary: piece.map((text) => [...encoder.encode(text)]) }, { weight: 1, arbitrary: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 3 }) }))
      .map((pieces) => Uint8Array.from(pieces.flat()));
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 6 }), (stream, cuts) => {
        const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b);
        const chunks = places.slice(1).map((place, index) => stream.subarray(places[index], place));
        expect(decode(chunks)).toEqual(reference(stream));
      }),
      { numRuns: 5000 },
    );
  });

  test('a caller may use its buffer again', () => {
    const decoder = createSseDecoder(limits);
    const buffer = encoder.encode('data: é');
    decoder.push(buffer.subarray(0, buffer.length - 1));
    const rest = buffer.slice(-1);
    buffer.fill(0);
    decoder.push(rest);
    expect(decoder.end()).toEqual([{ event: '', data: 'é' }]);
  });
});

describe('the bound', () => {
  const eventOf = (length: number, letter = 'x'): Uint8Array => encoder.encode(`data: ${letter.repeat(length - 6)}\n\n`);

  test.each(['x', 'é', '語'])('an event of the bound passes, one letter more does not, however it is cut (%s)', (letter) => {
    const fits = eventOf(100, letter);
    const isTooLong = eventOf(101, letter);
    for (let cut = 0; cut <= fits.length; cut++) {
      expect(decode([fits.subarray(0, cut), fits.subarray(cut)], 100)).toHaveLength(1);
      expect(() => decode([isTooLong.subarray(0, cut), isTooLong.subarray(cut)], 100)).toThrow(SseOverflowError);
    }
  });

  test('a line without end, lines without an event and an endless comment are all stopped', () => {
    for (const endless of ['x', 'data: x\n', 'id: 1\n', ': x', 'event: x\n']) {
      const decoder = createSseDecoder(limits);
      const chunk = encoder.encode(endless);
      expect(() => {
        for (let count = 0; count < 2000; count++) decoder.push(chunk);
      }).toThrow(SseOverflowError);
      expect(() => decoder.push(encoder.encode('\n\ndata: a\n\n'))).toThrow(SseOverflowError);
    }
  });

  test('keep-alive comments may go on for ever', () => {
    const decoder = createSseDecoder({ eventLengthMax: 20 });
    for (let count = 0; count < 1000; count++) expect(decoder.push(encoder.encode(': ping é\n'))).toEqual([]);
    expect(decoder.push(encoder.encode('data: a\n\n'))).toHaveLength(1);
  });

  test('an event of a megabyte that drips in byte by byte is read in linear time', () => {
    const decoder = createSseDecoder({ eventLengthMax: 2_000_000 });
    const events: SseEvent[] = [];
    for (const byte of eventOf(1_000_000)) events.push(...decoder.push(Uint8Array.of(byte)));
    expect(events).toHaveLength(1);
    expect(events[0]!.data).toHaveLength(999_994);
  });
});
