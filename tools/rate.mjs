// npm run rate: rates a file of usage with a price book. Prepares this checkout and hands over to tools/src/rate/main.ts in the same
// process. Further words are its options (npm run -s rate -- --book prices.yaml --usage usage.jsonl).
import { existsSync } from 'node:fs';
import { explainProblem, isPrepared, prepareWorkspace } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

const PROGRAM = './dist/rate/main.js';

if (!isPrepared() || !existsSync(new URL(PROGRAM, import.meta.url))) {
  try {
    // Standard output is for the result.
    await prepareWorkspace(createTerminal(process.stderr));
  } catch (error) {
    process.stderr.write(`\n${explainProblem(error)}\n`);
    process.exit(1);
  }
}
const { main } = await import(PROGRAM);
process.exitCode = await main(process.env.INIT_CWD ?? process.cwd());
