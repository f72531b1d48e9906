/** Mistakes in a file, each with its place, and what zod found said in plain words. Pure. */
import type { z } from 'zod';

export type Path = readonly PropertyKey[];

export interface Place {
  /** From 1; null: the file as a whole. */
  readonly line: number | null;
  readonly column: number | null;
}

export interface Mistake extends Place {
  /** Such as `rates[3].when.context.up_to`; empty for the file itself. */
  readonly path: string;
  readonly message: string;
}

/** A mistake before its place is known. */
export interface PathMistake {
  readonly path: Path;
  readonly message: string;
}

const textMax = 200;
/** Text of a file in a message: bounded, and without what moves a terminal's cursor. */
const quote = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > textMax ? `${text.slice(0, textMax)}…` : text.replace(/[\u007f-\u009f]/g, '?');
};

/** `book.yaml:12:7: rates[3].per: is missing`. */
export const formatMistake = (file: string, { line, column, path, message }: Mistake): string =>
  [line === null ? file : `${file}:${line}:${column}`, ...(path === '' ? [] : [path]), message].join(': ');

export const formatPath = (path: Path): string =>
  path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part).slice(0, 64)}`)).join('');

type Issue = z.core.$ZodIssue;

/** The mistakes that one issue stands for: an unknown key each, and of a union those of the form that the value is nearest to. */
export const mistakesOf = (issue: Issue, value: unknown, at: Path = []): PathMistake[] => {
  const path = [...at, ...issue.path];
  const found = valueAt(value, issue.path);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: [...path, key], message: 'no such key is known here. Remove it, or correct its spelling' }));
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const nearest = issue.errors.reduce((best, issues) => (distance(issues) < distance(best) ? issues : best));
    return nearest.flatMap((inner) => mistakesOf(inner, found, path));
  }
  if (issue.code === 'invalid_key') return [{ path, message: `is not a name that can be used here: ${issue.issues.map(({ message }) => message).join('; ')}` }];
  return [{ path, message: describe(issue, found) }];
};

/** How far a value is from a form: another kind of value is farthest, then a key that the form does not know. */
const distance = (issues: readonly Issue[]): number =>
  issues.reduce((sum, { code, path }) => sum + (path.length === 0 && (code === 'invalid_type' || code === 'invalid_value' || code === 'custom' || code === 'invalid_format') ? 1_000 : code === 'unrecognized_keys' ? 100 : 10), 0);

const kinds: Readonly<Record<string, string>> = { string: 'text', array: 'a list', object: 'keys with values', record: 'keys with values', boolean: 'true or false', null: 'null' };

const describe = (issue: Issue, found: unknown): string => {
  // Numbers explain themselves (book-values.ts).
  if (/^(is|must|has) /.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return found === undefined ? `is missing: write ${kinds[issue.expected] ?? issue.expected}` : `must be ${kinds[issue.expected] ?? issue.expected}, not ${quote(found)}`;
  if (issue.code === 'invalid_value') return found === undefined ? `is missing: write ${oneOf(issue.values)}` : `must be ${oneOf(issue.values)}, not ${quote(found)}`;
  if (issue.code === 'too_small') return Number(issue.minimum) === 1 ? 'must not be empty' : `must have at least ${String(issue.minimum)} entries`;
  if (issue.code === 'too_big') return `must have at most ${String(issue.maximum)} characters or entries`;
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
};

const oneOf = (values: readonly unknown[]): string => (values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(', ')}`);

const valueAt = (value: unknown, path: Path): unknown => path.reduce((inner: unknown, part) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[part] : undefined), value);
