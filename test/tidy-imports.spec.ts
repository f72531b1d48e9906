import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { findCircles } from './support/circles.js';

/** No circle: a reader can begin at the bottom, and every part can be understood, tested and moved without those above it. */
const root = fileURLToPath(new URL('..', import.meta.url));

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', '*.ts', '*.mjs'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));
const known = new Set(files);

/** The files of this repository that a file imports, types included, in the order of its text. */
const importsOf = (path: string): string[] =>
  ts.preProcessFile(readFileSync(join(root, path), 'utf8'), true, true).importedFiles.flatMap(({ fileName }) => {
    if (!fileName.startsWith('.')) return [];
    const target = join(dirname(path), fileName);
    const found = [target.replace(/\.js$/, '.ts'), target].find((candidate) => known.has(candidate));
    return found === undefined ? [] : [found];
  });

const imports = new Map(files.map((path) => [path, importsOf(path)]));

/** From the bottom up. A room may import the rooms before it. */
const gatewayRooms = ['request', 'bounds', 'intake', 'counting', 'admission', 'relay', 'face', 'threads'];
const gateway = 'apps/gateway/src/';

/** The first folder below `apps/gateway/src`; null for a file that stands beside the rooms. */
const roomOf = (path: string): string | null => {
  const rest = path.startsWith(gateway) ? path.slice(gateway.length).split('/') : [];
  return rest.length > 1 ? rest[0]! : null;
};

describe('imports', () => {
  it('of all files are seen', () => {
    expect(imports.get('libs/money/src/index.ts')).toEqual(['libs/money/src/money.ts']);
    expect([...imports.values()].flat().length).toBeGreaterThan(500);
  });

  it('form no circle between files', () => {
    expect(findCircles(imports)).toEqual([]);
  });

  it('lead down between the rooms of the gateway, in their order', () => {
    expect(new Set(files.map(roomOf).filter((room) => room !== null))).toEqual(new Set(gatewayRooms));
    const upward = files
      .filter((path) => !path.endsWith('.spec.ts'))
      .flatMap((path) => imports.get(path)!.map((target) => [path, target] as const))
      .filter(([path, target]) => {
        const [from, to] = [roomOf(path), roomOf(target)];
        return from !== null && to !== null && gatewayRooms.indexOf(to) > gatewayRooms.indexOf(from);
      });
    expect(upward).toEqual([]);
  });

  it('lead from the rooms of the gateway to no file that composes them', () => {
    const composing = new Set(['app.ts', 'main.ts', 'gateway.module.ts'].map((name) => gateway + name));
    const offenders = files.filter((path) => roomOf(path) !== null && imports.get(path)!.some((target) => composing.has(target)));
    expect(offenders).toEqual([]);
  });
});

describe('docs/ARCHITECTURE.md', () => {
  const text = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');

  it('names files and folders that exist', () => {
    const named = [...text.matchAll(/`((?:apps|libs|prisma|test|tools)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('has a line for every lib and every room of the gateway', () => {
    const libs = new Set(files.flatMap((path) => /^libs\/([^/]+)\//.exec(path)?.[1] ?? []));
    const missing = [...[...libs].map((lib) => `| \`${lib}\` |`), ...gatewayRooms.map((room) => `| \`${room}/\` |`)].filter((line) => !text.includes(line));
    expect(missing).toEqual([]);
  });
});

describe('circles', () => {
  it('are found, each once, however long', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['a', 'd']],
      ['d', ['e']],
      ['e', ['d']],
      ['f', ['a']],
      ['g', ['g']],
    ]);
    expect(findCircles(graph)).toEqual([['a', 'b', 'c'], ['d', 'e'], ['g']]);
  });

  it('are not seen in a graph that only meets again', () => {
    expect(findCircles(new Map([['a', ['b', 'c']], ['b', ['d']], ['c', ['d']], ['d', []]]))).toEqual([]);
  });
});
