import type { ReportProgress } from './progress.js';

/** Downloads by node-llama-cpp's own `hf:` URIs. It resumes interrupted downloads, and renames a file when it is complete. */
export interface HubOptions {
  readonly uri: string;
  readonly modelsFolder: string;
  /** Null lets the library name the file after its origin. */
  readonly fileName: string | null;
  /** A download without a byte for this long is given up. */
  readonly idleMs: number;
  readonly onProgress: ReportProgress;
}

export type FetchFromHub = (options: HubOptions) => Promise<string>;

export const fetchFromHub: FetchFromHub = async ({ uri, modelsFolder, fileName, idleMs, onProgress }) => {
  const { resolveModelFile } = await import('node-llama-cpp');
  const giveUp = new AbortController();
  let timer = setTimeout(() => giveUp.abort(idleError(idleMs)), idleMs);
  let receivedBytes = -1;
  try {
    return await resolveModelFile(uri, {
      directory: modelsFolder,
      ...(fileName === null ? {} : { fileName }),
      cli: false,
      deleteTempFileOnCancel: false,
      signal: giveUp.signal,
      onProgress: ({ downloadedSize, totalSize }) => {
        if (downloadedSize !== receivedBytes) {
          clearTimeout(timer);
          timer = setTimeout(() => giveUp.abort(idleError(idleMs)), idleMs);
        }
        receivedBytes = downloadedSize;
        onProgress({ source: 'hugging-face', receivedBytes: downloadedSize, totalBytes: totalSize });
      },
    });
  } finally {
    clearTimeout(timer);
  }
};

const idleError = (idleMs: number): Error => new Error(`nothing came from Hugging Face for ${Math.round(idleMs / 1000)} s`);
