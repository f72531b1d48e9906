import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from '@jest/globals';
import { proseFaults, subjectFaults, subjectLengthMax, type Line } from './support/prose.js';

/** New text and new commits are held to the rules of prose; what "new" means needs the history since the last release. */
const root = fileURLToPath(new URL('..', import.meta.url));
const base = '59bc6719e68d';

const git = (...words: string[]): string => execFileSync('git', words, { cwd: root, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024, stdio: ['ignore', 'pipe', 'ignore'] });

/** A shallow clone, or an archive without history, has nothing to compare with. */
const hasBase = ((): boolean => {
  try {
    git('merge-base', '--is-ancestor', base, 'HEAD');
    return true;
  } catch {
    return false;
  }
})();

const paths = ['*.ts', '*.mjs', 'prisma/functions/*.sql', 'prisma/policies/*.sql', 'prisma/roles/*.sql'];

/** Lines of the working tree that no file of the base had. */
const newLines = (): Line[] => {
  const known = new Set(git('grep', '-h', '-I', '-e', '', base, '--', '*.ts', '*.mjs', '*.sql').split('\n').map((line) => line.trim()));
  return git('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths)
    .split('\0')
    .filter((path) => path !== '' && path !== 'test/tidy-prose.spec.ts' && existsSync(join(root, path)))
    .flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        .flatMap((text, index) => (known.has(text.trim()) ? [] : [{ path, number: index + 1, text }])),
    );
};

(hasBase ? describe : describe.skip)('since the last release', () => {
  it('comments and test titles name their subject first and are short', () => {
    const faults = newLines().flatMap((line) => proseFaults(line).map((fault) => `${line.path}:${line.number} ${fault}: ${line.text.trim().slice(0, 100)}`));
    expect(faults).toEqual([]);
  });

  it('commits are named "area: imperative"', () => {
    const subjects = git('log', '--no-merges', '--format=%s', `${base}..HEAD`).split('\n').filter((subject) => subject !== '');
    expect(subjects.flatMap((subject) => subjectFaults(subject).map((fault) => `${subject}: ${fault}`))).toEqual([]);
  });
});

describe('a rule of prose', () => {
  const line = (text: string, path = 'libs/a/src/a.spec.ts'): Line => ({ path, number: 1, text });

  test.each([
    ['/** What a request holds. */'],
    ['  // Whoever comes second waits.'],
    [' * Who asks is told.'],
    ['-- That which is left returns.'],
    ["  it('what was charged is shown', () => {"],
    ["test('whoever asks is answered', () => {"],
    [`/** ${'long '.repeat(40)} */`],
    [`it('${'long '.repeat(30)}', () => {`],
  ])('finds %s', (text) => {
    expect(proseFaults(line(text))).toHaveLength(1);
  });

  test.each([
    ['/** A request holds its worst case. */'],
    [' * and is told what it holds, whoever asks.'],
    [' * what is left returns.'],
    ["  it('a retried charge is posted once', () => {"],
    ["const text = 'What is this?';"],
  ])('accepts %s', (text) => {
    expect(proseFaults(line(text))).toEqual([]);
  });

  test.each([
    'gateway: skip the await when a local lease covers the hold',
    'bench: record heap growth over a million requests',
    'api, docs: embed the schema',
  ])('accepts the subject "%s"', (subject) => {
    expect(subjectFaults(subject)).toEqual([]);
  });

  test.each([
    ['The heap after a million requests'],
    ['gateway: The heap'],
    ['gateway: what cannot be served costs little'],
    ['gateway: added a test'],
    ['gateway: adding a test'],
    ['gateway: add a test.'],
    [`gateway: add ${'x'.repeat(subjectLengthMax)}`],
  ])('refuses the subject "%s"', (subject) => {
    expect(subjectFaults(subject).length).toBeGreaterThan(0);
  });
});
