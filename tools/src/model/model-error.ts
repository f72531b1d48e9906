/** Why there is no model and what to do, written for whoever typed `npm start`. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

const noSpaceCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** A full disk, by the system's code or by what a program that we ran said. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  (noSpaceCodes.has((error as NodeJS.ErrnoException).code) || /no space left|disk quota|ENOSPC/i.test(error.message) || isDiskFull(error.cause));

/** `neededBytes` is null where nobody knows before the download has begun. */
export const diskFull = (folder: string, neededBytes: number | null, cause?: unknown): ModelError =>
  new ModelError(
    `The disk is full: ${neededBytes === null ? 'the model does not fit into' : `the model needs ${Math.ceil(neededBytes / 1e6)} MB while it is fetched, in`} ${folder}. ` +
      'Free some space and start again, or name a file that is already there: KILOTOKEN_MODEL_PATH=<file.gguf>.',
    { cause },
  );

/** The first line of what went wrong, for a list of what was tried. */
export const reasonOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().split('\n')[0]!.slice(0, 300);
};
