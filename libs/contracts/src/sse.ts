import { createUtf8Decoder } from './utf8-decoder.js';

/**
 * An incremental decoder of server-sent events (WHATWG HTML, §9.2) for streams of model vendors. It takes chunks cut at
 * any byte: inside a character, between the CR and the LF of a line end, inside the byte order mark. What it keeps between
 * chunks is one unfinished event, which `eventLengthMax` bounds in UTF-16 units, as strings are kept; its work is linear
 * however the chunks are cut.
 *
 * It is on the path of every chunk that the gateway forwards: a chunk is decoded once as a whole, and lines and events are
 * slices of that one string.
 */
export type SseEvent = {
  /** The `event:` field, or '' where there is none. */
  readonly event: string;
  readonly data: string;
};

export type SseDecoder = {
  /** The events that this chunk completes. Throws an SseOverflowError once an event is too long, and from then on always. */
  push(chunk: Uint8Array): SseEvent[];
  /**
   * The event that the end of the stream completes, if any. The standard drops it; but vendors leave out the last blank
   * line, and it may be the one with the usage.
   */
  end(): SseEvent[];
};

export class SseOverflowError extends Error {
  constructor(readonly eventLengthMax: number) {
    super(`an event of the stream is longer than ${eventLengthMax} UTF-16 units`);
    this.name = 'SseOverflowError';
  }
}

const space = 0x20;
const byteOrderMark = '\ufeff';

export const createSseDecoder = ({ eventLengthMax }: { readonly eventLengthMax: number }): SseDecoder => {
  const decoder = createUtf8Decoder();
  const event = createEventAssembler(eventLengthMax);
  let isStart = true;
  let endedWithReturn = false;

  /** CR, LF and CRLF all end a line; a LF that opens a chunk may belong to the CR that closed the one before. */
  const unifyLineEnds = (text: string): string => {
    if (!endedWithReturn && !text.includes('\r')) return text;
    const own = endedWithReturn && text.startsWith('\n') ? text.slice(1) : text;
    endedWithReturn = text.endsWith('\r');
    return own.replace(/\r\n?/g, '\n');
  };

  const take = (decoded: string): SseEvent[] => {
    const events: SseEvent[] = [];
    event.checkLength();
    if (decoded === '') return events;
    const text = unifyLineEnds(isStart && decoded.startsWith(byteOrderMark) ? decoded.slice(1) : decoded);
    isStart = false;
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      event.endLine(text, start, end, events);
      start = end + 1;
    }
    if (start < text.length) event.beginLine(text.slice(start));
    return events;
  };

  return {
    push: (chunk) => take(decoder.push(chunk)),
    end: () => {
      const events = take(decoder.end());
      event.endLine('', 0, 0, events);
      event.dispatch(events);
      return events;
    },
  };
};

/** Puts an event together from its lines, of which the last may be unfinished. */
const createEventAssembler = (eventLengthMax: number) => {
  /** The unfinished line. Appending makes a rope, which is flattened once, when the line is complete. */
  let line = '';
  let data: string | null = null;
  let name = '';
  /** What the unfinished event has so far, its unfinished line included, comments left out. */
  let length = 0;

  const checkLength = (): void => {
    if (length > eventLengthMax) throw new SseOverflowError(eventLengthMax);
  };

  /** Counts before anything is kept. Once too long stays too long: `length` is not reduced again. */
  const count = (added: number): void => {
    length += added;
    checkLength();
  };

  const takeField = (text: string, start: number, end: number): void => {
    if (text.startsWith('data:', start)) {
      const value = text.slice(text.charCodeAt(start + 5) === space && end > start + 5 ? start + 6 : start + 5, end);
      data = data === null ? value : `${data}\n${value}`;
      return;
    }
    const field = text.slice(start, end);
    if (field.startsWith(':')) length -= field.length;
    else if (field === 'data') data = data === null ? '' : `${data}\n`;
    else if (field === 'event') name = '';
    else if (field.startsWith('event:')) name = field.slice(field.charCodeAt(6) === space ? 7 : 6);
  };

  const dispatch = (events: SseEvent[]): void => {
    if (data !== null) events.push({ event: name, data });
    data = null;
    name = '';
    length = 0;
  };

  return {
    checkLength,
    dispatch,
    beginLine: (text: string): void => {
      count(text.length);
      line += text;
    },
    /** Ends the line with the part of `text` between the two places; an empty line ends the event. */
    endLine: (text: string, start: number, end: number, events: SseEvent[]): void => {
      count(end - start);
      if (line !== '') {
        const whole = line + text.slice(start, end);
        line = '';
        takeField(whole, 0, whole.length);
      } else if (end > start) takeField(text, start, end);
      else dispatch(events);
    },
  };
};
