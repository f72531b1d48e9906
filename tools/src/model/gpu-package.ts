import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gpuFolderOf } from '@kilotoken/inference';
import { readEnvironment, type Environment } from '@kilotoken/platform';
import { z } from 'zod';
import { writeAtomically } from '../atomic-write.js';
import { isDiskFull, ModelError, reasonOf } from './model-error.js';
import type { ReportProgress } from './progress.js';
import { runProgram, type Command } from './run-program.js';

/**
 * llama.cpp for a GPU. The installation has only the CPU's binary and overrides the others with an empty package, so they cannot
 * be installed beside it. A GPU's binary, with a copy of node-llama-cpp that loads it, therefore has its own folder in the data
 * folder. On a Mac the binary for Metal is the only one, and is already installed.
 */
export type Gpu = 'cuda' | 'vulkan' | 'metal';

export interface EnsureGpuOptions {
  readonly home: string;
  readonly gpu: Gpu;
  readonly onProgress?: ReportProgress;
}

export interface GpuSources {
  readonly npmCommand: Command;
  readonly environment: Environment;
  readonly platform: string;
  readonly timeoutMs: number;
}

const libraryPackage = 'node-llama-cpp';
/** An empty package replaces every unwanted binary. */
const nothing = 'npm:empty-npm-package@1.0.0';
const binaryPackages = ['linux-arm64', 'linux-armv7l', 'linux-riscv64', 'linux-x64', 'linux-x64-cuda', 'linux-x64-cuda-ext', 'linux-x64-vulkan', 'mac-arm64-metal', 'mac-x64', 'win-arm64', 'win-x64', 'win-x64-cuda', 'win-x64-cuda-ext', 'win-x64-vulkan'];
/** The binaries for each platform and GPU: the names after `@node-llama-cpp/`. */
const binariesOf: Readonly<Record<string, Partial<Record<Gpu, readonly string[]>>>> = {
  'linux-x64': { cuda: ['linux-x64-cuda', 'linux-x64-cuda-ext'], vulkan: ['linux-x64-vulkan'] },
  'win32-x64': { cuda: ['win-x64-cuda', 'win-x64-cuda-ext'], vulkan: ['win-x64-vulkan'] },
  'darwin-arm64': { metal: [] },
};

const usualSources = (): GpuSources => ({ npmCommand: ['npm'], environment: readEnvironment(), platform: `${process.platform}-${process.arch}`, timeoutMs: 15 * 60_000 });

/** Installs the binaries for `KILOTOKEN_GPU`, once per version. Rejects with a ModelError that names the remedy. */
export const ensureGpuPackage = async ({ home, gpu, onProgress = () => undefined }: EnsureGpuOptions, sources: GpuSources = usualSources()): Promise<void> => {
  const binaries = binariesOf[sources.platform]?.[gpu];
  if (!binaries) throw new ModelError(`KILOTOKEN_GPU is wrong: there is no ${gpu} binary of llama.cpp for ${sources.platform}. Unset it to compute on the CPU.`);
  if (binaries.length === 0) return;
  const version = installedVersion();
  const wanted = { gpu, version, binaries };
  const folder = gpuFolderOf(home);
  if (isInstalled(folder, wanted)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeAtomically(join(folder, 'package.json'), JSON.stringify(manifestOf(wanted), null, 2), 0o644);
  onProgress({ source: 'npm', receivedBytes: null, totalBytes: null });
  try {
    const parameters = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    await runProgram([...sources.npmCommand, ...parameters], { environment: sources.environment, timeoutMs: sources.timeoutMs, workingFolder: folder });
    refuseMissing(folder, binaries);
  } catch (error) {
    const reason = isDiskFull(error) ? 'the disk is full; a GPU package takes up to 1 GB' : reasonOf(error);
    throw new ModelError(`llama.cpp for ${gpu} could not be installed into ${folder}: ${reason}. Fix that and start again, or unset KILOTOKEN_GPU to compute on the CPU.`, { cause: error });
  }
  writeAtomically(join(folder, 'complete.json'), JSON.stringify(wanted), 0o644);
};

interface Wanted {
  readonly gpu: Gpu;
  readonly version: string;
  readonly binaries: readonly string[];
}

const manifestOf = ({ version, binaries }: Wanted) => ({
  name: 'kilotoken-gpu',
  private: true,
  dependencies: { [libraryPackage]: version, ...Object.fromEntries(binaries.map((name) => [`@node-llama-cpp/${name}`, version])) },
  overrides: Object.fromEntries(binaryPackages.filter((name) => !binaries.includes(name)).map((name) => [`@node-llama-cpp/${name}`, nothing])),
});

/** The version of this installation, so that both use the same llama.cpp. */
const installedVersion = (): string => {
  const main = createRequire(import.meta.url).resolve(libraryPackage);
  return z.object({ version: z.string() }).parse(readJson(join(dirname(dirname(main)), 'package.json'))).version;
};

const completeSchema = z.object({ gpu: z.string(), version: z.string() });

/** The record is written last, so the packages that it names are complete. */
const isInstalled = (folder: string, { gpu, version }: Wanted): boolean => {
  const complete = completeSchema.safeParse(readJson(join(folder, 'complete.json')));
  return complete.success && complete.data.gpu === gpu && complete.data.version === version;
};

const refuseMissing = (folder: string, binaries: readonly string[]): void => {
  for (const name of [libraryPackage, ...binaries.map((binary) => `@node-llama-cpp/${binary}`)]) {
    if (readJson(join(folder, 'node_modules', name, 'package.json')) === null) throw new Error(`npm succeeded, but ${name} is missing`);
  }
};

const readJson = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Absent or half written: the folder must be made again.
    return null;
  }
};
