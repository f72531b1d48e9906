import { ContractError } from './error-catalogue.js';
import { diagnoseJson } from './json-diagnosis.js';

/**
 * Reads a JSON body that strangers wrote. `JSON.parse` alone is too kind: it keeps the last of two equal keys (another
 * parser behind us may keep the first), makes strings that are no Unicode, and gives an own `__proto__` to whoever merges
 * objects later. One scan over the bytes before it bounds nesting, keys and values; one walk over its result counts and
 * checks the keys. Both are linear, and for a body of 500 bytes take a few microseconds.
 */
export type JsonBodyLimits = { readonly depthMax: number; readonly keysMax: number; readonly valuesMax: number };

/**
 * A key costs about as much time as 300 bytes of text, so a body of 20 MB could cost seconds. The largest honest bodies have
 * 2,048 messages with a few parts and calls each, or 128 tools with long schemas: some 50,000 keys.
 */
const defaultLimits: JsonBodyLimits = { depthMax: 64, keysMax: 100_000, valuesMax: 500_000 };

/** A body whose bytes were looked at and not parsed yet. */
export type ScannedBody = {
  readonly text: string;
  readonly isAscii: boolean;
  readonly keyCount: number;
  /** An upper bound of its values, containers included. */
  readonly valueCount: number;
  /** Whether a number outside strings may be one that a double does not hold: 16 characters or an exponent. */
  readonly hasLongNumbers: boolean;
};

const [quote, backslash, colon, comma] = [0x22, 0x5c, 0x3a, 0x2c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];
const letterU = 0x75;

/** `ignoreBOM` keeps a byte order mark in the text, where it is refused, instead of dropping it silently. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const parseJsonBody = (bytes: Uint8Array, limits: JsonBodyLimits = defaultLimits): unknown => parseScannedBody(scanJsonBody(bytes, limits));

/** Throws a `ContractError` for what is no Unicode, and at the first bracket, key or value that is one too many. */
export const scanJsonBody = (bytes: Uint8Array, limits: JsonBodyLimits = defaultLimits): ScannedBody => {
  const text = decodeBody(bytes);
  return { text, isAscii: text.length === bytes.length, ...scan(bytes, text, limits) };
};

export const parseScannedBody = ({ text, keyCount }: ScannedBody): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's own message quotes the body, which may be a prompt, and gives no position for short bodies.
    throw syntaxError(text);
  }
  // An object keeps one of two equal keys, so a body with more keys than its value has said one of them twice.
  if (keyCount !== countKeys(value)) {
    const diagnosis = diagnoseJson(text);
    const key = diagnosis.kind === 'duplicate_key' ? diagnosis.key.slice(0, 64) : '';
    throw new ContractError('duplicate_key', `The JSON body of your request has the key ${JSON.stringify(key)} twice in one object.`);
  }
  return value;
};

const decodeBody = (bytes: Uint8Array): string => {
  if (bytes.length === 0) throw new ContractError('empty_body', 'The body of your request is empty. Send a JSON object.');
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new ContractError('invalid_encoding', 'The body of your request starts with a byte order mark. Send plain UTF-8.');
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ContractError('invalid_encoding', 'The body of your request is not valid UTF-8.');
  }
};

/**
 * Counts keys (colons outside strings) and values (commas and brackets), and throws at the first escape that is half a
 * surrogate pair or at a limit. It runs before `JSON.parse`, so that 10⁵ brackets cost no stack and a million keys no
 * memory. Whether the body is JSON at all is not its business.
 */
const scan = (bytes: Uint8Array, text: string, { depthMax, keysMax, valuesMax }: JsonBodyLimits): Omit<ScannedBody, 'text' | 'isAscii'> => {
  // Where each character is one byte and no quote is escaped, the engine finds the end of a string many bytes at a time.
  const isPlain = text.length === bytes.length && !text.includes('\\');
  let depth = 0;
  let keyCount = 0;
  let valueCount = 1;
  let hasLongNumbers = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === quote) at = isPlain ? endOfPlainString(text, at + 1) : endOfString(bytes, at + 1);
    else if (byte === comma) {
      if (++valueCount > valuesMax) throw tooComplex(`more than ${valuesMax} values, where an array or object counts twice`);
    } else if (byte === colon) {
      if (++keyCount > keysMax) throw tooComplex(`more than ${keysMax} keys`);
    } else if (byte === openBrace || byte === openBracket) {
      if (++depth > depthMax) {
        throw new ContractError('nesting_too_deep', `The JSON body of your request is nested deeper than ${depthMax} levels.`);
      }
      if (++valueCount > valuesMax) throw tooComplex(`more than ${valuesMax} values, where an array or object counts twice`);
    } else if (byte === closeBrace || byte === closeBracket) depth--;
    else if (byte >= digit0 && byte <= digit9) {
      const end = endOfNumber(bytes, at);
      hasLongNumbers ||= end - at >= longNumberLength || bytes[end] === letterE || bytes[end] === upperE;
      at = end - 1;
    }
  }
  return { keyCount, valueCount, hasLongNumbers };
};

const [digit0, digit9, point, letterE, upperE] = [0x30, 0x39, 0x2e, 0x65, 0x45];
/** A double holds every number of 15 digits; such a one may still have a point or none. */
const longNumberLength = 16;

/** Behind the digits and points of a number; its exponent is not looked at. */
const endOfNumber = (bytes: Uint8Array, start: number): number => {
  let at = start + 1;
  while (at < bytes.length && ((bytes[at]! >= digit0 && bytes[at]! <= digit9) || bytes[at] === point)) at++;
  return at;
};

const tooComplex = (what: string): ContractError => new ContractError('body_too_complex', `The JSON body of your request has ${what}.`);

/** The place of the closing quote, or the body's length where there is none; here and below. */
const endOfPlainString = (text: string, start: number): number => {
  const end = text.indexOf('"', start);
  return end === -1 ? text.length : end;
};

const endOfString = (bytes: Uint8Array, start: number): number => {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === quote) return at;
    if (byte === backslash) at = bytes[at + 1] === letterU ? endOfUnicodeEscape(bytes, at) : at + 1;
  }
  return at;
};

/** The last byte of the escape, or of both escapes of a pair. */
const endOfUnicodeEscape = (bytes: Uint8Array, start: number): number => {
  const unit = codeUnit(bytes, start);
  if (unit < 0xd800 || unit > 0xdfff) return start + 5;
  const next = codeUnit(bytes, start + 6);
  if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) return start + 11;
  throw new ContractError('invalid_encoding', `The JSON body of your request has an unpaired surrogate at byte ${start}.`);
};

/** The code unit of `\uXXXX`, or -1 when there is no such escape. A malformed one is left to `JSON.parse`. */
const codeUnit = (bytes: Uint8Array, start: number): number => {
  if (bytes[start] !== backslash || bytes[start + 1] !== letterU) return -1;
  let unit = 0;
  for (let at = start + 2; at < start + 6; at++) {
    const digit = hexDigit(bytes[at] ?? 0);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
};

const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};

/** Counts the keys of all objects and refuses those that reach a prototype. Depth is bounded by the scan. */
const countKeys = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countKeys(item);
    return count;
  }
  for (const key in value) {
    count++;
    const member = (value as Record<string, unknown>)[key];
    if (key === '__proto__') throw forbiddenKey('__proto__');
    if (typeof member === 'object' && member !== null) {
      if (key === 'constructor' && Object.hasOwn(member, 'prototype')) throw forbiddenKey('constructor.prototype');
      count += countKeys(member);
    }
  }
  return count;
};

const forbiddenKey = (key: string): ContractError =>
  new ContractError('forbidden_key', `The JSON body of your request has the key '${key}', which is not allowed.`);

const syntaxError = (text: string): ContractError => {
  const diagnosis = diagnoseJson(text);
  // Our diagnosis and the engine's parser disagree only if one of them is wrong: do not hide that behind a 400.
  if (diagnosis.kind !== 'syntax') throw new Error('JSON.parse refused a body that the diagnosis takes for JSON');
  return new ContractError(
    'invalid_json',
    diagnosis.position === text.length
      ? `We could not parse the JSON body of your request: it ends at position ${diagnosis.position}, before its value is complete.`
      : `We could not parse the JSON body of your request: unexpected character at position ${diagnosis.position}.`,
  );
};
