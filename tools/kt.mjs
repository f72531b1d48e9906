// npm run kt -- …: the command line of the control plane. Like every npm script it first installs and builds what is missing, but
// skips that if no source changed since the last build, because looking would take most of a command's time.
// Only the command writes to standard output, except npm itself, whose banner `npm run -s kt -- … --json` omits.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { explainProblem, isPrepared, prepareWorkspace, ROOT } from './prepare.mjs';
import { createTerminal } from './terminal.mjs';

/** A build without changes ends within this time, so no step is shown. */
const QUIET_MS = 4_000;
const PROGRAM = './dist/kt/main.js';

if (!isPrepared() || !existsSync(new URL(PROGRAM, import.meta.url))) await prepare(createTerminal(process.stderr));
// Node 22 and newer keep compiled code from one run to the next.
module.enableCompileCache?.(join(ROOT, '.nx/compile-cache'));
const { main } = await import(PROGRAM);
process.exitCode = await main(process.env.INIT_CWD ?? process.cwd());

async function prepare(terminal) {
  try {
    await prepareWorkspace(quietAtFirst(terminal));
  } catch (error) {
    terminal.problem(explainProblem(error));
    process.exit(1);
  }
}

/** The same terminal, but it shows a step only after QUIET_MS, and only on a terminal. */
function quietAtFirst(terminal) {
  return {
    ...terminal,
    step(name, text) {
      let shown = null;
      const timer = process.stderr.isTTY ? setTimeout(() => (shown = terminal.step(name, text)), QUIET_MS) : undefined;
      const settle = (end) => (detail) => {
        clearTimeout(timer);
        end(detail);
      };
      return { update: (detail) => shown?.update(detail), done: settle((detail) => shown?.done(detail)), fail: settle((detail) => shown?.fail(detail)) };
    },
  };
}
