/**
 * Says where a text stops being JSON, or which key an object has twice. It runs only for bodies that are refused anyway,
 * so it is plain rather than quick; it is linear and has no recursion, since the body may be hostile.
 */
export type JsonDiagnosis =
  | { readonly kind: 'syntax'; readonly position: number }
  | { readonly kind: 'duplicate_key'; readonly key: string }
  | { readonly kind: 'none' };

/** The parser's states. `first` states also allow the container to close at once. */
type Expected = 'value' | 'firstItem' | 'firstKey' | 'key' | 'colon' | 'commaOrEnd' | 'end';

type Container = { readonly closing: '}' | ']'; readonly keys: Set<string> };

const space = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

export const diagnoseJson = (text: string): JsonDiagnosis => {
  const open: Container[] = [];
  let expected: Expected = 'value';
  let at = 0;
  // A body may have a key twice and then stop being JSON: the syntax error is what is told.
  let duplicate: JsonDiagnosis = { kind: 'none' };
  const afterValue = (): Expected => (open.length === 0 ? 'end' : 'commaOrEnd');

  for (;;) {
    at = matchAt(space, text, at) ?? at;
    if (at >= text.length) return expected === 'end' ? duplicate : { kind: 'syntax', position: at };
    const character = text[at]!;
    const container = open.at(-1);

    if (character === container?.closing && ['firstItem', 'firstKey', 'commaOrEnd'].includes(expected)) {
      open.pop();
      expected = afterValue();
      at++;
    } else if (expected === 'key' || expected === 'firstKey') {
      const { end, complete } = readString(text, at);
      if (!complete) return { kind: 'syntax', position: end };
      const key = JSON.parse(text.slice(at, end)) as string;
      if (duplicate.kind === 'none' && container!.keys.has(key)) duplicate = { kind: 'duplicate_key', key };
      container!.keys.add(key);
      expected = 'colon';
      at = end;
    } else if (expected === 'colon' && character === ':') {
      expected = 'value';
      at++;
    } else if (expected === 'commaOrEnd' && character === ',') {
      expected = container!.closing === '}' ? 'key' : 'value';
      at++;
    } else if (expected === 'value' || expected === 'firstItem') {
      if (character === '{' || character === '[') {
        open.push({ closing: character === '{' ? '}' : ']', keys: new Set() });
        expected = character === '{' ? 'firstKey' : 'firstItem';
        at++;
        continue;
      }
      const { end, complete } = character === '"' ? readString(text, at) : readScalar(text, at);
      if (!complete) return { kind: 'syntax', position: end };
      expected = afterValue();
      at = end;
    } else return { kind: 'syntax', position: at };
  }
};

type Token = { readonly end: number; readonly complete: boolean };

/** A string from its opening quote to behind its closing one; incomplete, `end` is the character that is wrong. */
const readString = (text: string, start: number): Token => {
  if (text[start] !== '"') return { end: start, complete: false };
  let at = start + 1;
  while (at < text.length) {
    const character = text[at]!;
    if (character === '"') return { end: at + 1, complete: true };
    if (character < ' ') break;
    if (character === '\\') {
      const end = matchAt(escape, text, at);
      if (end === null) break;
      at = end;
    } else at++;
  }
  return { end: at, complete: false };
};

/** A number or a word. One that the text's end cuts short (`tru`, `-`, `1.`) is wrong at the end. */
const readScalar = (text: string, start: number): Token => {
  const end = matchAt(scalar, text, start);
  const rest = /[\w.+-]*/y;
  const wordEnd = matchAt(rest, text, start) ?? start;
  if (end !== null && end === wordEnd) return { end, complete: true };
  return { end: wordEnd === text.length && wordEnd > start ? wordEnd : (end ?? start), complete: false };
};

const matchAt = (pattern: RegExp, text: string, at: number): number | null => {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
};
