import { spawn } from 'node:child_process';

/** A program and its arguments; the first word is found on the PATH. */
export type Command = readonly [program: string, ...parameters: string[]];

export interface RunOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly workingFolder?: string;
}

/** Programs report errors at the end of their output. */
const outputCharactersMax = 4_000;

export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  constructor(
    message: string,
    /** The program does not exist. */
    readonly isMissing: boolean,
  ) {
    super(message);
  }
}

/** Runs a program to its end without output. Rejects with a ProgramError that ends with the last line of its output. */
export const runProgram = async ([program, ...parameters]: Command, { environment, timeoutMs, workingFolder }: RunOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const isWindows = process.platform === 'win32';
    const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env: environment, cwd: workingFolder, shell: isWindows });
    // Not by spawn's own option: its timer outlives a program that could not be started.
    const deadline = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    // A launcher that is told to stop does not wait for a download, and must not leave it behind.
    const endWithUs = (): void => void child.kill();
    process.once('exit', endWithUs);
    const settle = (): void => {
      clearTimeout(deadline);
      process.off('exit', endWithUs);
    };
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-outputCharactersMax);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error: NodeJS.ErrnoException) => {
      settle();
      reject(new ProgramError(`${program} could not be started: ${error.message}`, error.code === 'ENOENT'));
    });
    child.once('close', (code, signal) => {
      settle();
      if (code === 0) return resolve();
      const said = output.trim().split('\n').findLast((line) => line.trim() !== '') ?? 'it said nothing';
      // Disk full may stand in any line, and decides what the person is told.
      const why = /^.*(?:no space left|disk quota).*$/im.exec(output)?.[0] ?? said;
      // A shim of a version manager, or a Python without pip, is there and is not what it stands for.
      const isMissing = code === 127 || /No module named pip\b/.test(output);
      reject(new ProgramError(signal ? `${program} did not end within ${Math.round(timeoutMs / 1000)} s` : `${program} failed: ${why.trim()}`, isMissing));
    });
  });
