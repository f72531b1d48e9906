import { isAscii, utf8Length } from './utf8-length.js';

/**
 * How many bytes a tokenizer can be made to see for a text: as it is, or printed as JSON by a chat template.
 */

/** The longest that a text can be to a tokenizer that normalizes, or does not. */
export const textBytes = (text: string): number => {
  if (isAscii(text)) return text.length;
  const bytes = utf8Length(text);
  return bytes + expansion(text, bytes);
};

/**
 * The longest that a text can be inside a JSON string: quotes and backslashes are escaped, and control characters may be
 * six characters each. A template that parses and prints a call's arguments again puts a space behind each comma and
 * colon, and writes `1e15` as 1000000000000000.0.
 */
export const printedBytes = (text: string): number => {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (isOrdinary(unit, ordinaryInText)) continue;
    if (unit < 0x20 || isEscapedByTemplates(unit)) bytes += 5;
    else if (unit === quote || unit === backslash || unit === comma || unit === colon) bytes += 1;
    else if ((unit | 0x20) === letterE && isDigit(text.charCodeAt(index - 1))) bytes += 16;
  }
  return isAscii(text) ? bytes : bytes + expansion(text, utf8Length(text));
};

/** The longest that a template's `tojson` can make of a value: indented by four, escaped for HTML and ASCII. */
export const jsonBytes = (value: object): number => {
  const text = JSON.stringify(value);
  // Indentation is counted, not made: deep nesting would print a hundred times the text.
  let bytes = text.length;
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (isOrdinary(unit, ordinaryInJson)) continue;
    if (isEscapedByTemplates(unit)) bytes += 5;
    if (unit === quote) isInString = !isInString;
    else if (isInString) {
      if (unit === backslash) index++;
    } else if (unit === colon) bytes += 1;
    else if (unit === comma) bytes += 1 + indent * depth;
    else if (unit === openBracket || unit === openBrace) bytes += 1 + indent * ++depth;
    else if (unit === closeBracket || unit === closeBrace) bytes += 1 + indent * --depth;
  }
  return isAscii(text) ? bytes : bytes + expansion(text, utf8Length(text));
};

const indent = 4;
const [quote, backslash, comma, colon, letterE] = [0x22, 0x5c, 0x2c, 0x3a, 0x65];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];

const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;

/** Characters that Jinja's `tojson` may write as six: `&`, `'`, `<`, `>`, and all beyond ASCII. */
const isEscapedByTemplates = (unit: number): boolean =>
  unit >= 0x7f || unit === 0x26 || unit === 0x27 || unit === 0x3c || unit === 0x3e;

/** The ASCII characters that count as themselves: nearly all of a text, passed over at the price of one look. */
const ordinaryBut = (others: string): Uint8Array =>
  Uint8Array.from({ length: 0x80 }, (_, unit) => Number(unit >= 0x20 && !isEscapedByTemplates(unit) && !others.includes(String.fromCharCode(unit))));

const ordinaryInText = ordinaryBut('"\\,:eE');
const ordinaryInJson = ordinaryBut('"\\,:[]{}');

const isOrdinary = (unit: number, ordinary: Uint8Array): boolean => unit < 0x80 && ordinary[unit] === 1;

/** No normal form is longer than this many times the text (Unicode's FAQ on normalization: NFKC in UTF-8, U+FDFA). */
const expansionMax = 11;

/**
 * Runs of more than 30 combining marks, which no language writes (UAX #15's stream-safe format). Sorting them takes the
 * square of their number, so a text with such a run is not normalized but counted at the worst. U+FF9E and U+FF9F are
 * letters that NFKC turns into marks. The lookbehind makes the search linear: only the start of a run is tried.
 */
const hostileRun = /(?<![\p{M}\uff9e\uff9f])[\p{M}\uff9e\uff9f]{31}/u;

/** A normal form of the longest text would take a quarter of a gigabyte. */
const sliceLength = 16_384;

/**
 * The bytes that normalizing may add. Slice by slice: characters that would compose across a cut only make the text shorter,
 * so the sum is not below what the whole would add.
 */
const expansion = (text: string, bytes: number): number => {
  if (text.length <= sliceLength) return expansionOfSlice(text, bytes);
  let added = 0;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + sliceLength, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    const slice = text.slice(start, end);
    added += expansionOfSlice(slice, utf8Length(slice));
    start = end;
  }
  return added;
};

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

const expansionOfSlice = (text: string, bytes: number): number => {
  if (hostileRun.test(text)) return bytes * (expansionMax - 1);
  return Math.max(bytes, utf8Length(text.normalize('NFC')), utf8Length(text.normalize('NFKC'))) - bytes;
};
