/** What a command line wrote, and how it ended. */
export interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command line in this process, with an output that keeps what is written. */
export const runCommand = async (run: (output: { out(text: string): void; error(text: string): void }) => Promise<number>): Promise<Ran> => {
  let [out, error] = ['', ''];
  const exitCode = await run({ out: (text) => void (out += text), error: (text) => void (error += text) });
  return { exitCode, out, error };
};
