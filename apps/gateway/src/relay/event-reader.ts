import { createParser } from 'eventsource-parser';

/** A chunk of an answer as the vendor sent it: an object, and nothing else is known of it. */
export type StreamChunk = Record<string, unknown>;

/** An event is one chunk of an answer; what is longer than this without an end is no event. */
const eventLengthMax = 4 * 1024 * 1024;

/** Reads a lane's server-sent events, however its bytes are split. */
export interface EventReader {
  /** Takes bytes; answers the chunks that they complete. */
  feed(bytes: Uint8Array): StreamChunk[];
  /** The body ended: a last event without its blank line is an event all the same. */
  end(): StreamChunk[];
  /** `done`: `[DONE]` was read. `malformed`: an event was no JSON object or had no end; what it meant to say is not known. */
  state(): 'open' | 'done' | 'malformed';
}

const parseChunk = (text: string): StreamChunk | null => {
  try {
    const chunk: unknown = JSON.parse(text);
    return typeof chunk === 'object' && chunk !== null && !Array.isArray(chunk) ? (chunk as StreamChunk) : null;
  } catch {
    // The state says that it was malformed.
    return null;
  }
};

export const createEventReader = (): EventReader => {
  const decoder = new TextDecoder('utf-8');
  let state: 'open' | 'done' | 'malformed' = 'open';
  let chunks: StreamChunk[] = [];
  const parser = createParser({
    maxBufferSize: eventLengthMax,
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') state = 'malformed';
    },
    onEvent: ({ data }) => {
      if (state !== 'open') return;
      if (data === '[DONE]') {
        state = 'done';
        return;
      }
      const chunk = parseChunk(data);
      if (chunk) chunks.push(chunk);
      else state = 'malformed';
    },
  });
  const take = (text: string): StreamChunk[] => {
    // A parser that gave up takes no more; what it has read so far stands.
    if (state === 'open') parser.feed(text);
    const complete = chunks;
    chunks = [];
    return complete;
  };
  return {
    feed: (bytes) => take(decoder.decode(bytes, { stream: true })),
    end: () => take(`${decoder.decode()}\n\n`),
    state: () => state,
  };
};
