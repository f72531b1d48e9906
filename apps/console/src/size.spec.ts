import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const scriptBytesMax = 300_000;

interface Chunk {
  readonly file: string;
  readonly imports?: readonly string[];
}

const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8')) as Readonly<Record<string, Chunk>>;

/** A chunk and all that it loads before it runs. */
const filesOf = (name: string, found = new Set<string>()): Set<string> => {
  const chunk = manifest[name];
  if (!chunk) throw new Error(`the build has no ${name}`);
  if (!found.has(chunk.file)) {
    found.add(chunk.file);
    for (const imported of chunk.imports ?? []) filesOf(imported, found);
  }
  return found;
};

describe('the build', () => {
  it.each(['src/messages/en.json', 'src/messages/zh.json'])(`sends at most ${scriptBytesMax} bytes of script until the overview has drawn its charts, with %s`, (messages) => {
    const socket = Object.keys(manifest).find((name) => name.includes('graphql-ws'));
    const files = new Set(['index.html', 'src/pages/overview/overview.page.tsx', messages, ...(socket ? [socket] : [])].flatMap((name) => [...filesOf(name)]));
    const scripts = [...files].filter((file) => file.endsWith('.js'));
    expect(scripts.length).toBeGreaterThan(4);
    const bytes = scripts.reduce((sum, file) => sum + statSync(join(dist, `${file}.br`)).size, statSync(join(dist, 'color-scheme.js')).size);
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThanOrEqual(scriptBytesMax);
  });

  it('has every script compressed beside itself, byte for byte', () => {
    const files = Object.values(manifest).map(({ file }) => file).filter((file) => file.endsWith('.js'));
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !brotliDecompressSync(readFileSync(join(dist, `${file}.br`))).equals(readFileSync(join(dist, file))))).toEqual([]);
  });
});
