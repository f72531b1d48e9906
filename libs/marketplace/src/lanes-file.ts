import { isMap, isNode, isScalar, Lexer, LineCounter, parseDocument, Parser, type Document } from 'yaml';
import type { z } from 'zod';
import { AppError } from '@kilotoken/platform';
import { lanesFileSchema } from './lanes-file.schema.js';
import type { Listing } from './listing.js';

/**
 * Reads the text of a lanes file (`KILOTOKEN_LANES`). All problems are reported at once, each with its place:
 *
 *   line 9, column 9 (models[0].lanes[0].baseURL): unknown key
 *
 * The parser is guarded: a file that nests deeply overflows the stack of any recursive reader, and one whose aliases
 * multiply ("billion laughs") fills the memory.
 */
export const lanesFileBytesMax = 256 * 1024;
const nestingMax = 40;
const aliasCountMax = 100;
const problemsMax = 20;

export interface LanesFileProblem {
  /** From 1; null when the problem has no place. */
  readonly line: number | null;
  readonly column: number | null;
  /** Such as `models[0].lanes[1].baseUrl`; empty for the file itself. */
  readonly path: string;
  readonly message: string;
}

/** Throws an AppError `lanes_file_invalid`, whose details hold the problems. */
export const parseLanesFile = (text: string): Listing[] => {
  const lines = new LineCounter();
  refuseDeepNesting(text);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error', schema: 'core', stringKeys: true });
  const syntaxProblems = [...document.errors, ...document.warnings].map(({ pos, message }) => problemAt(lines, pos[0], '', message));
  if (syntaxProblems.length > 0) throw invalid(syntaxProblems);

  const result = lanesFileSchema.safeParse(toPlain(document));
  if (!result.success) throw invalid(result.error.issues.flatMap((issue) => describe(document, lines, issue)));
  refuseRepetition(document, lines, result.data.models);
  return result.data.models;
};

const invalid = (problems: LanesFileProblem[]): AppError => {
  const shown = problems.slice(0, problemsMax).map(({ line, column, path, message }) => {
    const place = [line === null ? '' : `line ${line}, column ${column}`, path && (line === null ? path : `(${path})`)].filter(Boolean).join(' ');
    return `  ${place ? `${place}: ` : ''}${message}`;
  });
  const more = problems.length > shown.length ? [`  … and ${problems.length - shown.length} more`] : [];
  return new AppError({
    code: 'lanes_file_invalid',
    kind: 'invalid',
    publicMessage: ['The lanes file is wrong; nothing was applied:', ...shown, ...more].join('\n'),
    details: { problems: problems.slice(0, problemsMax) },
  });
};

const problemAt = (lines: LineCounter, offset: number | undefined, path: string, message: string): LanesFileProblem => {
  if (offset === undefined) return { line: null, column: null, path, message };
  const { line, col } = lines.linePos(offset);
  return { line, column: col, path, message };
};

/** Runs the two iterative stages of the parser, before its recursive ones. */
const refuseDeepNesting = (text: string): void => {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    // The tokens themselves are not needed; taking them keeps the parser going.
    Array.from(parser.next(lexeme));
    if (parser.stack.length > nestingMax) throw invalid([{ line: null, column: null, path: '', message: 'the file is nested too deeply' }]);
  }
};

const toPlain = (document: Document): unknown => {
  try {
    return document.toJS({ maxAliasCount: aliasCountMax });
  } catch (error) {
    // The library throws a ReferenceError for an alias without its anchor, and for too many aliases.
    if (error instanceof ReferenceError) throw invalid([{ line: null, column: null, path: '', message: error.message }]);
    throw error;
  }
};

type Path = readonly PropertyKey[];

const describe = (document: Document, lines: LineCounter, issue: z.core.$ZodIssue): LanesFileProblem[] => {
  if (issue.code !== 'unrecognized_keys') return [problemAt(lines, offsetOf(document, issue.path), formatPath(issue.path), lowerFirst(issue.message))];
  return issue.keys.map((key) => {
    const path = [...issue.path, key];
    return problemAt(lines, offsetOf(document, path), formatPath(path), 'unknown key');
  });
};

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

const formatPath = (path: Path): string =>
  path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part).slice(0, 64)}`)).join('');

/** The offset of the key or item at the path, or of its nearest present parent. */
const offsetOf = (document: Document, path: Path): number | undefined => {
  const parent: unknown = path.length === 0 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const key = parent.items.find((item) => isScalar(item.key) && item.key.value === last)?.key;
    if (isScalar(key) && key.range) return key.range[0];
  }
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isNode(node) && node.range) return node.range[0];
  return path.length === 0 ? undefined : offsetOf(document, path.slice(0, -1));
};

/** A model named twice, or a lane that is the same as another of its model: one of them is a mistake. */
const refuseRepetition = (document: Document, lines: LineCounter, listings: readonly Listing[]): void => {
  const problems: LanesFileProblem[] = [];
  const note = (path: Path, message: string) => problems.push(problemAt(lines, offsetOf(document, path), formatPath(path), message));
  const models = new Set<string>();
  for (const [at, listing] of listings.entries()) {
    if (models.has(listing.modelId)) note(['models', at, 'model'], `the model ${listing.modelId} is already listed above`);
    models.add(listing.modelId);
    const lanes = new Set<string>();
    for (const [laneAt, { kind, baseUrl, upstreamModel, keyEnv }] of listing.lanes.entries()) {
      const identity = JSON.stringify([kind, baseUrl, upstreamModel, keyEnv]);
      if (lanes.has(identity)) note(['models', at, 'lanes', laneAt], 'duplicates a lane above it');
      lanes.add(identity);
    }
  }
  if (problems.length > 0) throw invalid(problems);
};
