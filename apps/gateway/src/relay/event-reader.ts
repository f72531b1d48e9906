import { createParser } from 'eventsource-parser';
import type { StreamChunk } from './stream-state.js';

/** An event is one chunk of an answer; what is longer than this without an end is no event. */
const eventBytesMax = 4 * 1024 * 1024;

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
  let unparsedBytes = 0;
  const parser = createParser({
    onEvent: ({ data }) => {
      unparsedBytes = 0;
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
    parser.feed(text);
    if (unparsedBytes > eventBytesMax) state = 'malformed';
    const complete = chunks;
    chunks = [];
    return complete;
  };
  return {
    feed: (bytes) => {
      unparsedBytes += bytes.length;
      return take(decoder.decode(bytes, { stream: true }));
    },
    end: () => take(`${decoder.decode()}\n\n`),
    state: () => state,
  };
};
