import { AppError, ConfigError, MigrationError } from '@kilotoken/platform';
import { ModelError } from '../model/index.js';
import { PostgresStartError } from '../postgres/index.js';

/** Why Kilotoken does not start and what to do, written for whoever typed `npm start`. */
export class LauncherError extends Error {
  override readonly name = 'LauncherError';
}

/** The launcher was told to stop while it started. */
export class StartInterrupted extends Error {
  override readonly name = 'StartInterrupted';
}

/** The text to print: our own messages as they are, the file system's turned into advice, anything else with its stack. */
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
      return `The disk is full: ${where} could not be written. Free some space (a first start needs about 1 GB) and start again; nothing was lost.`;
    case 'EACCES':
    case 'EPERM':
      return `${where} may not be written by this user. Change its owner, or choose another folder: KILOTOKEN_HOME=<folder> npm start`;
    case 'EROFS':
      return `${where} is on a read-only file system. Choose another folder: KILOTOKEN_HOME=<folder> npm start`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${where} is in the way: a folder is needed there. Move it, or choose another folder: KILOTOKEN_HOME=<folder> npm start`;
    default:
      return error.stack ?? error.message;
  }
}
