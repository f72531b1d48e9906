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
  let isStart = true;
  let endedWithReturn = false;
  let hasOverflowed = false;
  /** The unfinished line. Appending makes a rope, which is flattened once, when the line is complete. */
  let line = '';
  let data: string | null = null;
  let name = '';
  /** What the unfinished event has so far, its unfinished line included, comments left out. */
  let eventLength = 0;

  const takeField = (text: string, start: number, end: number): void => {
    if (text.startsWith('data:', start)) {
      const value = text.slice(text.charCodeAt(start + 5) === space && end > start + 5 ? start + 6 : start + 5, end);
      data = data === null ? value : `${data}\n${value}`;
      return;
    }
    const field = text.slice(start, end);
    if (field.startsWith(':')) eventLength -= field.length;
    else if (field === 'data') data = data === null ? '' : `${data}\n`;
    else if (field === 'event') name = '';
    else if (field.startsWith('event:')) name = field.slice(field.charCodeAt(6) === space ? 7 : 6);
  };

  const dispatch = (events: SseEvent[]): void => {
    if (data !== null) events.push({ event: name, data });
    data = null;
    name = '';
    eventLength = 0;
  };

  /** Counts before anything is kept. */
  const count = (length: number): void => {
    eventLength += length;
    if (eventLength <= eventLengthMax) return;
    hasOverflowed = true;
    line = '';
    data = null;
    throw new SseOverflowError(eventLengthMax);
  };

  const takeText = (decoded: string): SseEvent[] => {
    const events: SseEvent[] = [];
    const text = decoded.includes('\r') || endedWithReturn ? unifyLineEnds(decoded) : decoded;
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      if (line !== '') {
        const rest = text.slice(start, end);
        count(rest.length);
        line += rest;
        takeField(line, 0, line.length);
        line = '';
      } else if (end > start) {
        count(end - start);
        takeField(text, start, end);
      } else dispatch(events);
      start = end + 1;
    }
    if (start < text.length) {
      const rest = text.slice(start);
      count(rest.length);
      line += rest;
    }
    return events;
  };

  /** CR, LF and CRLF all end a line; a LF that opens a chunk may belong to the CR that closed the one before. */
  const unifyLineEnds = (text: string): string => {
    const own = endedWithReturn && text.startsWith('\n') ? text.slice(1) : text;
    endedWithReturn = text.endsWith('\r');
    return own.replace(/\r\n?/g, '\n');
  };

  const take = (decoded: string): SseEvent[] => {
    if (hasOverflowed) throw new SseOverflowError(eventLengthMax);
    if (decoded === '') return [];
    const text = isStart && decoded.startsWith(byteOrderMark) ? decoded.slice(1) : decoded;
    isStart = false;
    return takeText(text);
  };

  return {
    push: (chunk) => take(decoder.push(chunk)),
    end: () => {
      const events = take(decoder.end());
      if (line !== '') takeField(line, 0, line.length);
      line = '';
      dispatch(events);
      return events;
    },
  };
};

/**
 * A `TextDecoder` that streams takes ten times as long as one that is given whole characters: so an unfinished character,
 * three bytes at most, waits here for the next chunk. Bytes that are no UTF-8 become U+FFFD, as the standard says.
 */
const createUtf8Decoder = () => {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let held = new Uint8Array(0);

  return {
    push: (chunk: Uint8Array): string => {
      const bytes = held.length === 0 ? chunk : joined(held, chunk);
      const whole = bytes.length - unfinishedBytes(bytes);
      // A copy: the caller may use its buffer again.
      held = whole === bytes.length ? empty : bytes.slice(whole);
      return decoder.decode(whole === bytes.length ? bytes : bytes.subarray(0, whole));
    },
    end: (): string => {
      const rest = held;
      held = empty;
      return decoder.decode(rest);
    },
  };
};

const empty = new Uint8Array(0);

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
};

/** The length of a character that began at the end of the bytes and needs more of them. */
const unfinishedBytes = (bytes: Uint8Array): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
};
