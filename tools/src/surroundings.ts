import { readEnvironment, type Environment } from '@kilotoken/platform';
import type { Output } from './kt/output.js';

/** Where a command line runs: what a test has in place of a process. */
export interface Surroundings {
  readonly environment: Environment;
  /** What `KILOTOKEN_HOME` is relative to: the folder of this process, as for `npm start`. */
  readonly workingFolder: string;
  /** What paths on the command line are relative to. npm changes the folder before it runs a script. */
  readonly callersFolder: string;
  readonly output: Output;
}

/** This process's own. `callersFolder` is what the script knows that npm ran. */
export const readSurroundings = (callersFolder: string): Surroundings => {
  // Who reads may have seen enough (`… | head`): what was begun is finished all the same.
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
