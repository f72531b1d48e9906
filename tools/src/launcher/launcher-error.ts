import { AppError, ConfigError, MigrationError } from '@kilotoken/platform';
import { ModelError } from '../model/index.js';
import { PostgresStartError } from '../postgres/index.js';

/** Tells the person who typed `npm start` why Kilotoken does not start, and what to do. */
export class LauncherError extends Error {
  override readonly name = 'LauncherError';
}

/** The launcher was told to stop while it started. */
export class StartInterrupted extends Error {
  override readonly name = 'StartInterrupted';
}

/** The text to print: our own messages as they are, advice for the file system's errors, and a stack for any other. */
export function explainFailure(error: unknown, home: string): string {
  if (error instanceof LauncherError || error instanceof ConfigError || error instanceof MigrationError || error instanceof PostgresStartError || error instanceof ModelError) {
    return error.message;
  }
  if (error instanceof AppError) return error.publicMessage;
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const where = path ?? home;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk is full: ${where} could not be written. Free some space (a first start needs about 1 GB) and start again. Nothing was lost.`;
    case 'EACCES':
    case 'EPERM':
      return `This user may not write ${where}. Change its owner, or choose another folder: KILOTOKEN_HOME=<folder> npm start`;
    case 'EROFS':
      return `${where} is on a read-only file system. Choose another folder: KILOTOKEN_HOME=<folder> npm start`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${where} exists and is not a folder. Move it, or choose another folder: KILOTOKEN_HOME=<folder> npm start`;
    default:
      return error.stack ?? error.message;
  }
}
