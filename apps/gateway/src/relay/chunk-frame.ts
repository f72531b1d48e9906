import { publicAnswer } from '@kilotoken/openai';

/**
 * The common parts of one stream's chunks. Pure. Nearly all of a chunk's text repeats the chunk before it:
 *
 *   {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}
 *   └─────────────────────────────── head ───────────────────────────────────────┘└──────── choices ──────────────────┘└┘ tail
 *
 * So a text is read whole once; of those that begin and end alike the choices alone are parsed, and what is forwarded is
 * put together from texts. A text that does not fit is read whole: a frame saves time and decides nothing.
 */
export type StreamChunk = Record<string, unknown>;

export interface ChunkFrame {
  readonly head: string;
  readonly tail: string;
  /** All fields in their order; `choices` marks the place. */
  readonly fields: StreamChunk;
}

export interface FramedChoices {
  readonly frame: ChunkFrame;
  readonly text: string;
}

const opening = '"choices":[';

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON is an answer here: the text does not fit.
    return undefined;
  }
};

/** An object of JSON, or null. */
export const parseChunk = (text: string): StreamChunk | null => {
  const value = parse(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as StreamChunk) : null;
};

/** The frame of a chunk's text. Null where it has none, or says more than who speaks: an error, a usage. */
export const frameOf = (text: string): ChunkFrame | null => {
  const headLength = text.indexOf(opening) + opening.length;
  const tailAt = text.lastIndexOf(']');
  // A line break between tokens would end the event that the text is put into.
  if (headLength < opening.length || tailAt < headLength || text.includes('\n')) return null;
  const [head, tail] = [text.slice(0, headLength), text.slice(tailAt)];
  // With a mark between them head and tail are a chunk whose choices are the mark and nothing else: so whatever list stands
  // there, it is the chunk's choices.
  const fields = parseChunk(`${head}null${tail}`);
  if (!fields) return null;
  const { choices, usage, error, object } = fields;
  if (!Array.isArray(choices) || choices.length !== 1 || choices[0] !== null) return null;
  return (usage ?? null) === null && (error ?? null) === null && object !== 'error' ? { head, tail, fields } : null;
};

/** The choices of a text that fits a frame, and their text; null when it does not fit. */
export const readFramed = (frame: ChunkFrame, text: string): { readonly choices: unknown[]; readonly framed: FramedChoices } | null => {
  const { head, tail } = frame;
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return null;
  const inner = text.slice(head.length, text.length - tail.length);
  if (inner.includes('\n')) return null;
  const choices = parse(`[${inner}]`);
  return Array.isArray(choices) ? { choices, framed: { frame, text: inner } } : null;
};

/** Replaces fields of chunks by a client's own, `undefined` leaving one out, and drops the vendor's private ones; answers the texts that are sent. */
export const createChunkWriter = (own: StreamChunk): { whole: (chunk: StreamChunk) => string; framed: (choices: FramedChoices) => string } => {
  let made: { frame: ChunkFrame; before: string; after: string } | null = null;
  const make = (frame: ChunkFrame): { frame: ChunkFrame; before: string; after: string } => {
    const entries = Object.entries({ ...publicAnswer(frame.fields), ...own }).filter(([, value]) => value !== undefined);
    const place = entries.findIndex(([name]) => name === 'choices');
    const text = (some: [string, unknown][]): string[] => some.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
    const before = [...text(entries.slice(0, place)), opening].join(',');
    return { frame, before: `{${before}`, after: `${[']', ...text(entries.slice(place + 1))].join(',')}}` };
  };
  return {
    whole: (chunk) => JSON.stringify({ ...publicAnswer(chunk), ...own }),
    framed: ({ frame, text }) => {
      if (made?.frame !== frame) made = make(frame);
      return `${made.before}${text}${made.after}`;
    },
  };
};
