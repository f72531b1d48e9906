import { join } from 'node:path';

/**
 * Where an installation of llama.cpp for a GPU lies under the data folder: whoever installs it and the worker that loads it
 * know no more of each other than this.
 */
export const gpuFolderOf = (home: string): string => join(home, 'gpu');

/** The copy of node-llama-cpp in it. */
export const gpuPackageFolderOf = (home: string): string => join(gpuFolderOf(home), 'node_modules', 'node-llama-cpp');
