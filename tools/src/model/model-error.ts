/** Tells the person who typed `npm start` why there is no model, and what to do. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

const noSpaceCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** A full disk, by the system's code or by a program's output. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  (noSpaceCodes.has((error as NodeJS.ErrnoException).code) || /no space left|disk quota|ENOSPC/i.test(error.message) || isDiskFull(error.cause));

/** `neededBytes` is null if it is unknown before the download. */
export const diskFull = (folder: string, neededBytes: number | null, cause?: unknown): ModelError =>
  new ModelError(
    `The disk is full: ${neededBytes === null ? 'the model does not fit into' : `the model needs ${Math.ceil(neededBytes / 1e6)} MB while it is fetched, in`} ${folder}. ` +
      'Free some space and start again, or name a file that is already there: KILOTOKEN_MODEL_PATH=<file.gguf>.',
    { cause },
  );

/** The first line of an error, for a list of failed attempts. */
export const reasonOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().split('\n')[0]!.slice(0, 300);
};
