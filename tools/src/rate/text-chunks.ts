/** Decodes a stream of bytes: UTF-8, or UTF-16 with its byte order mark. Memory is bounded by the size of a chunk. */
import { TextDecoder } from 'node:util';
import { InputError } from './options.js';

export const decodeChunks = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let decoder: TextDecoder | null = null;
  let first = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (decoder) {
      yield decode(decoder, chunk, true);
      continue;
    }
    // A pipe may give one byte at a time; a mark has two.
    first = Buffer.concat([first, chunk]);
    if (first.length < 2) continue;
    decoder = new TextDecoder(encodingOf(first), { fatal: true });
    yield decode(decoder, first, true);
  }
  yield decoder ? decode(decoder, new Uint8Array(), false) : decode(new TextDecoder('utf-8', { fatal: true }), first, false);
};

const encodingOf = ([first, second]: Uint8Array): string => (first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8');

const decode = (decoder: TextDecoder, bytes: Uint8Array, stream: boolean): string => {
  let text: string;
  try {
    text = decoder.decode(bytes, { stream });
  } catch {
    throw new InputError(`is not valid ${decoder.encoding.toUpperCase()}. Save it as UTF-8`);
  }
  if (text.includes('\0')) throw new InputError('has NUL characters: it is no text, or is UTF-16 without a byte order mark. Save it as UTF-8');
  return text;
};
