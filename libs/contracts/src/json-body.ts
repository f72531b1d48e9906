import { ContractError } from './openai-error.js';
import { diagnoseJson } from './json-diagnosis.js';

/**
 * Reads a JSON body that strangers wrote. `JSON.parse` alone is too kind: it keeps the last of two equal keys (another
 * parser behind us may keep the first), makes strings that are no Unicode, and gives an own `__proto__` to whoever merges
 * objects later. One scan over the bytes before it bounds the nesting; one walk over its result counts and checks the keys.
 * Both are linear, and for a body of 500 bytes take a few microseconds.
 */
export type JsonBodyLimits = { readonly depthMax: number };

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];
const letterU = 0x75;

/** `ignoreBOM` keeps a byte order mark in the text, where it is refused, instead of dropping it silently. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const parseJsonBody = (bytes: Uint8Array, limits: JsonBodyLimits = { depthMax: 64 }): unknown => {
  const text = decodeBody(bytes);
  const keyCount = scan(bytes, text, limits.depthMax);
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
  if (bytes.length === 0) throw new ContractError('empty_body', 'The body of your request is empty. A JSON object is needed.');
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
 * Counts the keys (colons outside strings) and throws at the first bracket that nests too deep or the first escape that is
 * half a surrogate pair. It runs before `JSON.parse`, so that 10⁵ brackets cost no stack. Whether the body is JSON at all
 * is not its business.
 */
const scan = (bytes: Uint8Array, text: string, depthMax: number): number => {
  // Where each character is one byte and no quote is escaped, the engine finds the end of a string many bytes at a time.
  const isPlain = text.length === bytes.length && !text.includes('\\');
  let depth = 0;
  let keyCount = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === quote) at = isPlain ? endOfPlainString(text, at + 1) : endOfString(bytes, at + 1);
    else if (byte === colon) keyCount++;
    else if (byte === openBrace || byte === openBracket) {
      if (++depth > depthMax) {
        throw new ContractError('nesting_too_deep', `The JSON body of your request is nested deeper than ${depthMax} levels.`);
      }
    } else if (byte === closeBrace || byte === closeBracket) depth--;
  }
  return keyCount;
};

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
  throw new ContractError('invalid_encoding', `The JSON body of your request has half a surrogate pair at byte ${start}.`);
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
