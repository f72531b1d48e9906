import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runRate } from '../../tools/src/rate/main.js';

export interface RateRun {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `npm run rate` in this process, with files in a folder of their own. */
export const rateWith = async (files: Readonly<Record<string, string | Uint8Array>>, words: readonly string[], input: AsyncIterable<Uint8Array> = none()): Promise<RateRun> => {
  const folder = mkdtempSync(join(tmpdir(), 'kilotoken-rate-test-'));
  const [out, error]: [string[], string[]] = [[], []];
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const code = await runRate(words, {
      callersFolder: folder,
      output: { out: (text) => void out.push(text), error: (text) => void error.push(text) },
      write: (text) => {
        out.push(text);
        return Promise.resolve();
      },
      input,
    });
    return { code, out: out.join(''), error: error.join('') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const none = async function* (): AsyncGenerator<Uint8Array> {};
