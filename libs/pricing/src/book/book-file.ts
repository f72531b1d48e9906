/**
 * Reads the text of a price book, and of other small files beside it: JSON or YAML, of which JSON is a part. Answers its value, with every number as the text
 * that stands in the file (`0.10` is never a float), and the line and column of each key.
 *
 * The reader is guarded: a file that nests deeply overflows the stack of any recursive reader, and one whose aliases multiply ("billion
 * laughs") fills the memory. All mistakes of syntax are reported at once.
 */
import { isAlias, isMap, isNode, isScalar, isSeq, Lexer, LineCounter, parseDocument, Parser, type Document } from 'yaml';
import type { Mistake, Path, Place } from './mistakes.js';

const bookBytesMax = 8 * 1024 * 1024;
const nestingMax = 40;
/** Counted after aliases were replaced. */
const valuesMax = 1_000_000;
/** Each one is looked up in the whole file. */
const aliasesMax = 1_000;

export interface StructuredText {
  readonly value: unknown;
  /** The place of the key or entry at a path, or of its nearest present parent. */
  placeOf(path: Path): Place;
}

export type Reading<Result> = { readonly ok: true; readonly result: Result } | { readonly ok: false; readonly mistakes: readonly Mistake[] };

const nowhere: Place = { line: null, column: null };
const refuse = (message: string, place = nowhere): { readonly ok: false; readonly mistakes: readonly Mistake[] } => ({ ok: false, mistakes: [{ ...place, path: '', message }] });

/** Text in UTF-8, or in UTF-16 with its byte order mark. */
export const decodeText = (bytes: Uint8Array): Reading<string> => {
  const mark = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  try {
    const text = new TextDecoder(mark, { fatal: true }).decode(bytes);
    return text.includes('\0') ? refuse('has NUL characters: it is no text, or is UTF-16 without a byte order mark. Save it as UTF-8') : { ok: true, result: text };
  } catch {
    return refuse(`is not valid ${mark.toUpperCase()}. Save it as UTF-8`);
  }
};

export const readStructuredText = (bytes: Uint8Array): Reading<StructuredText> => {
  if (bytes.length > bookBytesMax) return refuse(`has ${bytes.length} bytes; at most ${bookBytesMax} can be read. Split it`);
  const decoded = decodeText(bytes);
  if (!decoded.ok) return decoded;
  const text = decoded.result;
  if (text.trim() === '') return refuse('is empty');
  if (nestsDeeply(text)) return refuse(`is nested more than ${nestingMax} levels deep`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error', schema: 'core', stringKeys: true });
  const placeAt = (offset: number): Place => ({ line: lines.linePos(offset).line, column: lines.linePos(offset).col });
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) return { ok: false, mistakes: wrong.map(({ pos, code, message }) => ({ ...placeAt(pos[0]), path: '', message: code === 'DUPLICATE_KEY' ? 'this key stands twice. Remove one of them' : message })) };
  try {
    const value = toValue(document);
    return { ok: true, result: { value, placeOf: (path) => placeOfNode(document, path, placeAt) } };
  } catch (error) {
    if (error instanceof UnreadableValue) return refuse(error.message, error.offset === null ? nowhere : placeAt(error.offset));
    throw error;
  }
};

/** Runs the two iterative stages of the parser, before its recursive ones. */
const nestsDeeply = (text: string): boolean => {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    // The tokens themselves are not needed; taking them keeps the parser going.
    Array.from(parser.next(lexeme));
    if (parser.stack.length > nestingMax) return true;
  }
  return false;
};

class UnreadableValue extends Error {
  constructor(
    message: string,
    readonly offset: number | null,
  ) {
    super(message);
  }
}

const toValue = (document: Document): unknown => {
  let [values, aliases] = [0, 0];
  const read = (node: unknown, depth: number): unknown => {
    const offset = isNode(node) ? (node.range?.[0] ?? null) : null;
    if (++values > valuesMax) throw new UnreadableValue(`has more than ${valuesMax} values, aliases replaced by what they stand for`, offset);
    if (depth > nestingMax) throw new UnreadableValue(`is nested more than ${nestingMax} levels deep, aliases replaced by what they stand for`, offset);
    if (isAlias(node)) {
      if (++aliases > aliasesMax) throw new UnreadableValue(`has more than ${aliasesMax} aliases`, offset);
      const target = node.resolve(document);
      if (!target) throw new UnreadableValue(`the alias *${node.source} has no anchor before it`, offset);
      return read(target, depth + 1);
    }
    if (isSeq(node)) return node.items.map((item) => read(item, depth + 1));
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }): [string, unknown] => {
        const name = isScalar(key) ? String(key.value) : '';
        if (!isScalar(key) || name === '__proto__') throw new UnreadableValue('this key cannot be used: write a plain name', offset);
        return [name, read(value, depth + 1)];
      });
      return Object.fromEntries(entries);
    }
    if (!isScalar(node)) return null;
    return typeof node.value === 'number' || typeof node.value === 'bigint' ? node.source : node.value;
  };
  return read(document.contents, 0);
};

const placeOfNode = (document: Document, path: Path, placeAt: (offset: number) => Place): Place => {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) node = node.items[Number(part)];
    else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (!pair) break;
      if (isNode(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
      continue;
    } else break;
    if (!isNode(node)) break;
    if (node.range) offset = node.range[0];
  }
  return placeAt(offset);
};
