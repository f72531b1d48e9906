// npm run reconcile: proves the books of an installation. Prepares this checkout and hands over to tools/src/reconcile/main.ts in
// the same process. Further words are its options (npm run -s reconcile -- --json).
import { explainProblem, prepareWorkspace } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

try {
  // Standard output is for the result: with --json it must hold only JSON.
  await prepareWorkspace(createTerminal(process.stderr));
} catch (error) {
  process.stderr.write(`\n${explainProblem(error)}\n`);
  // Exit code 2: the books could not be checked.
  process.exit(2);
}
const { main } = await import('./dist/reconcile/main.js');
process.exitCode = await main(process.env.INIT_CWD ?? process.cwd());
