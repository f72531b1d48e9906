import { readEnvironment, type Environment } from '@kilotoken/platform';
import type { Output } from './kt/output.js';

/** The environment, folders and output of a command line; tests pass their own. */
export interface Surroundings {
  readonly environment: Environment;
  /** `KILOTOKEN_HOME` is relative to this folder: that of the process, as for `npm start`. */
  readonly workingFolder: string;
  /** Paths on the command line are relative to this folder. npm changes the folder before it runs a script. */
  readonly callersFolder: string;
  readonly output: Output;
}

/** The surroundings of this process. The script that npm runs knows `callersFolder`. */
export const readSurroundings = (callersFolder: string): Surroundings => {
  // The reader may close the pipe early (`… | head`); the command still completes.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    environment: readEnvironment(),
    workingFolder: process.cwd(),
    callersFolder,
    output: { out: (text) => void process.stdout.write(text), error: (text) => void process.stderr.write(text) },
  };
};
