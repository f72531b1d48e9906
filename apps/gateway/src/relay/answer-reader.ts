import { chunkOfAnswer } from './answer-shape.js';
import { createEventReader, type EventReader, type StreamEvent } from './event-reader.js';
import { parseChunk } from './chunk-frame.js';

/** A body that was sent in place of a stream; what is longer is no answer. */
const bodyLengthMax = 16 * 1024 * 1024;

const space = new Set([0x20, 0x09, 0x0a, 0x0d]);
const mark = [0xef, 0xbb, 0xbf];
const openBrace = 0x7b;

/**
 * Reads what came for a stream by what it is, since its content type may be wrong: server-sent events, or one JSON body,
 * which counts as the one chunk of a stream.
 */
export const createAnswerReader = (): EventReader => {
  let reader: EventReader | null = null;
  let seen = 0;
  return {
    feed: (bytes) => {
      for (let at = 0; reader === null && at < bytes.length; at += 1, seen += 1) {
        const byte = bytes[at]!;
        // Blank lines come before a body to keep its connection alive, and a byte order mark before anything.
        if (!space.has(byte) && byte !== mark[seen]) reader = byte === openBrace ? createBodyReader() : createEventReader();
      }
      return reader?.feed(bytes) ?? [];
    },
    end: () => reader?.end() ?? [],
    state: () => reader?.state() ?? 'open',
  };
};

const createBodyReader = (): EventReader => {
  const parts: Buffer[] = [];
  let length = 0;
  let state: 'open' | 'done' | 'malformed' = 'open';
  return {
    feed: (bytes) => {
      length += bytes.length;
      if (length > bodyLengthMax) state = 'malformed';
      else parts.push(bytes);
      return [];
    },
    end: (): StreamEvent[] => {
      const body = parseChunk(Buffer.concat(parts).toString('utf8').replace(/^\ufeff/, ''));
      // A body is whole when it parses, however its connection ended.
      state = body ? 'done' : 'malformed';
      return body ? [{ chunk: chunkOfAnswer(body), framed: null }] : [];
    },
    state: () => state,
  };
};
