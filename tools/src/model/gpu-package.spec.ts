import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gpuFolderOf, gpuPackageFolderOf } from '@kilotoken/inference';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ensureGpuPackage, type GpuSources } from './gpu-package.js';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kilotoken-gpu-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A program in npm's place, which makes the packages that the manifest names unless told otherwise. */
const createNpm = (body: string): readonly [string] => {
  const path = join(home, 'npm.cjs');
  writeFileSync(
    path,
    `#!${process.execPath}
const fs = require('node:fs');
fs.appendFileSync(${JSON.stringify(join(home, 'runs'))}, process.argv.slice(2).join(' ') + '\\n');
const { dependencies } = JSON.parse(fs.readFileSync('package.json', 'utf8'));
const install = (name) => { fs.mkdirSync('node_modules/' + name, { recursive: true }); fs.writeFileSync('node_modules/' + name + '/package.json', '{}'); };
${body}\n`,
  );
  chmodSync(path, 0o755);
  return [path];
};
const installAll = 'Object.keys(dependencies).forEach(install);';
const runs = (): string[] => (existsSync(join(home, 'runs')) ? readFileSync(join(home, 'runs'), 'utf8').trim().split('\n') : []);
const sources = (body = installAll, platform = 'linux-x64'): GpuSources => ({ npmCommand: createNpm(body), environment: { PATH: process.env['PATH'] }, platform, timeoutMs: 60_000 });

describe('llama.cpp for a GPU', () => {
  it("is installed into a folder of its own, at this installation's version, with no other binary", async () => {
    await ensureGpuPackage({ home, gpu: 'cuda' }, sources());
    expect(existsSync(join(gpuPackageFolderOf(home), 'package.json'))).toBe(true);
    const manifest = JSON.parse(readFileSync(join(gpuFolderOf(home), 'package.json'), 'utf8')) as { dependencies: Record<string, string>; overrides: Record<string, string> };
    const { version } = JSON.parse(readFileSync('node_modules/node-llama-cpp/package.json', 'utf8')) as { version: string };
    expect(manifest.dependencies).toEqual({ 'node-llama-cpp': version, '@node-llama-cpp/linux-x64-cuda': version, '@node-llama-cpp/linux-x64-cuda-ext': version });
    expect(Object.keys(manifest.overrides)).toContain('@node-llama-cpp/linux-x64-vulkan');
    expect(Object.keys(manifest.overrides)).not.toContain('@node-llama-cpp/linux-x64-cuda');
    expect(runs()).toEqual([expect.stringMatching(/^install .*--ignore-scripts/)]);
  });

  it('leaves no binary of the library unnamed: a new one would be downloaded for nothing', async () => {
    await ensureGpuPackage({ home, gpu: 'vulkan' }, sources());
    const manifest = JSON.parse(readFileSync(join(gpuFolderOf(home), 'package.json'), 'utf8')) as { dependencies: object; overrides: object };
    const library = JSON.parse(readFileSync('node_modules/node-llama-cpp/package.json', 'utf8')) as { optionalDependencies: object };
    const named = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.overrides)].filter((name) => name.startsWith('@'));
    expect(named.sort()).toEqual(Object.keys(library.optionalDependencies).sort());
  });

  it('is installed once, and again for another GPU', async () => {
    for (const gpu of ['vulkan', 'vulkan', 'cuda'] as const) await ensureGpuPackage({ home, gpu }, sources());
    expect(runs()).toHaveLength(2);
  });

  it('an installation that was broken off is made again', async () => {
    await expect(ensureGpuPackage({ home, gpu: 'cuda' }, sources("install('node-llama-cpp'); process.exit(1);"))).rejects.toThrow(/could not be installed/);
    await ensureGpuPackage({ home, gpu: 'cuda' }, sources());
    expect(runs()).toHaveLength(2);
  });

  it.each([
    ['npm fails', "console.error('npm error network'); process.exit(1);", /npm error network.*unset KILOTOKEN_GPU/],
    ['npm leaves the binary out', "install('node-llama-cpp');", /linux-x64-cuda is missing/],
    ['the disk is full', "console.error('npm error ENOSPC: no space left on device'); process.exit(1);", /disk is full/],
  ])('%s: the message says so and what to do', async (_name, body, message) => {
    await expect(ensureGpuPackage({ home, gpu: 'cuda' }, sources(body))).rejects.toThrow(message);
  });

  it('is already there on a Mac', async () => {
    await ensureGpuPackage({ home, gpu: 'metal' }, sources('', 'darwin-arm64'));
    expect(runs()).toEqual([]);
  });

  it.each([
    ['metal', 'linux-x64'],
    ['cuda', 'darwin-arm64'],
    ['vulkan', 'freebsd-x64'],
  ] as const)('%s on %s is refused before anything is installed', async (gpu, platform) => {
    await expect(ensureGpuPackage({ home, gpu }, sources('', platform))).rejects.toThrow(/KILOTOKEN_GPU is wrong/);
    expect(runs()).toEqual([]);
  });
});
